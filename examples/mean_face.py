#!/usr/bin/env python3
"""The mean of all faces in the photos of a folder, aligned by their eyes.

usage: python examples/mean_face.py PHOTOS OUT

Writes the aligned faces, and mean.png.
"""

import json
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import fkp

photos, out = Path(sys.argv[1]), Path(sys.argv[2])
outcome, *_ = fkp.align(  # clips have outcomes of their own
    photos, out, template="eyes", size=256, faces="each", enlarge=True, resume=True
)

pictures = json.loads((out / "transforms.json").read_text())["pictures"]
faces = [plt.imread(out / picture["file"]) for picture in pictures]
values = [face[..., :3] / (255 if face.dtype == np.uint8 else 1) for face in faces]
plt.imsave(out / "mean.png", np.mean(values, axis=0))
print(f"the mean of {len(faces)} faces: {out / 'mean.png'}, see {outcome.page}")
