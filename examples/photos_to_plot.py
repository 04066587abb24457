#!/usr/bin/env python3
"""Photos to a table and a plot: how wide each face's mouth is, against how open it is.

usage: python examples/photos_to_plot.py [PHOTOS [OUT]]

Writes faces.csv, mouths.png and one drawn photo into OUT.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt

import fkp

photos = Path(sys.argv[1] if len(sys.argv) > 1 else "sample_images")
out = Path(sys.argv[2] if len(sys.argv) > 2 else "results")
out.mkdir(parents=True, exist_ok=True)

network = fkp.load()
found = list(network.photos(photos))
for photo in found:
    print(f"{photo.path}: {photo.reason or photo.status}, {len(photo.faces)} faces")

# One row per face, in the columns of keypoints.csv; pictures without a face have empty ones.
table = fkp.to_frame(found, measures=True).dropna(subset="face")
table.to_csv(out / "faces.csv", index=False)

# Points 48 and 54 are the corners of the mouth, 36 and 45 the outer corners of the eyes.
mouth = ((table.p54_x - table.p48_x) ** 2 + (table.p54_y - table.p48_y) ** 2) ** 0.5
eyes = ((table.p45_x - table.p36_x) ** 2 + (table.p45_y - table.p36_y) ** 2) ** 0.5
figure, axes = plt.subplots()
axes.scatter(mouth / eyes, table.mouth_opening)
axes.set(xlabel="width of the mouth, in distances of the eyes", ylabel="opening of the mouth")
figure.savefig(out / "mouths.png")

# The faces of one photo, those of a high score, drawn into it.
with_faces = next((photo for photo in found if len(photo.faces)), None)
if with_faces is not None:
    faces = with_faces.faces[with_faces.faces.scores > 0.5]
    plt.imsave(out / "drawn.png", faces.draw()[:, :, ::-1])  # BGR to RGB
print(f"{len(table)} faces: {out / 'faces.csv'}, {out / 'mouths.png'}")
