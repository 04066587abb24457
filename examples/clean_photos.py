#!/usr/bin/env python3
"""Copy the best picture of each folder: the sharpest of those that show a face from the front.

usage: python examples/clean_photos.py PHOTOS OUT [DEGREES]

Writes quality.csv, a row for each face, and the chosen pictures.
"""

import shutil
import sys
from pathlib import Path

import fkp

photos, out = Path(sys.argv[1]), Path(sys.argv[2])
limit = float(sys.argv[3]) if len(sys.argv) > 3 else 30.0
out.mkdir(parents=True, exist_ok=True)

network = fkp.load(quality=True, max_faces=1)
table = fkp.to_frame(network.photos(photos), quality=True)
table.to_csv(out / "quality.csv", index=False)

# A face that looks at the camera, is not cut by the border, and of which most can be seen.
frontal, whole = table.out_of_plane <= limit, table.border_cut < 0.1
good = table[frontal & whole & (table.occluded < 0.3)]
folders = good.image.map(lambda image: str(Path(image).parent))
best = good.loc[good.groupby(folders).sharpness.idxmax()]
for image in best.image:
    shutil.copyfile(image, out / Path(image).name)
print(f"{len(table)} pictures, {len(good)} good ones, {len(best)} copied to {out}")
