#!/usr/bin/env python3
"""Photos of visits to a plot: how far each corner of the mouth goes in a smile, visit by visit.

usage: python examples/visits_to_smiles.py PHOTOS [OUT]

PHOTOS has PERSON/VISIT/rest.jpg and PERSON/VISIT/smile.jpg. Writes the results, the tables and
smiles.png into OUT.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

import fkp

photos = Path(sys.argv[1])
out = Path(sys.argv[2] if len(sys.argv) > 2 else "visits")

fkp.annotate(photos, out / "results", overlays=False, overwrite=True)
visits = fkp.symmetry(out / "results", out / "symmetry", overwrite=True)
for image, reason in visits.missing:
    print(f"{image}: {reason}")

table = pd.concat(map(pd.read_csv, sorted((out / "symmetry").glob("*/*.csv"))))
smiles = table[(table.measure == "mouth_corner_excursion") & (table.expression == "smile")]
figure, axes = plt.subplots()
for person, own in smiles.groupby("person"):
    axes.plot(own.visit.astype(str), own.right_change, "o-", label=f"{person}, right")
    axes.plot(own.visit.astype(str), own.left_change, "o--", label=f"{person}, left")
axes.set(xlabel="visit", ylabel="excursion, in eye distances")
axes.legend()
figure.savefig(out / "smiles.png")
print(f"{len(smiles)} smiles of {smiles.person.nunique()} persons: {out / 'smiles.png'}")
