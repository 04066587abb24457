#!/usr/bin/env python3
"""Your own points from a few hundred labelled pictures.

usage: python examples/own_points.py LABELS.csv PHOTOS [OUT [EPOCHS]]

LABELS.csv has a column `image` with paths, and <name>_x, <name>_y for each of your points, in
pixels. Writes the data set, the trained network and a table of the points in PHOTOS into OUT.
"""

import sys
from pathlib import Path

import fkp

labels, photos = Path(sys.argv[1]), Path(sys.argv[2])
out = Path(sys.argv[3] if len(sys.argv) > 3 else "own_points")
epochs = int(sys.argv[4]) if len(sys.argv) > 4 else None  # None: by the number of labels

# Crops of the size of the bundled network, whose weights the training starts from.
report = fkp.prepare(labels, out / "data.csv", size=112)
print(f"{len(report.samples)} of {report.rows_read} rows; wrong ones: {len(report.rejected)}")

network = fkp.train(out / "data.csv", out / "run", init="bundled", epochs=epochs)
scores = network.evaluate(out / "data.csv").scores
print(f"mean error on people that it never saw: {scores.mae:.2f} pixels of the crop")

found = fkp.to_frame(network.photos(photos), confidence=True)
found.to_csv(out / "points.csv", index=False)
print(f"{', '.join(network.scheme.names)} in {len(found)} rows: {out / 'points.csv'}")
