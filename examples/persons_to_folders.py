#!/usr/bin/env python3
"""Copy the photos of one occasion into a folder for each person.

usage: python examples/persons_to_folders.py PHOTOS OUT

A photo of several people is in the folder of each. Name and merge people in
OUT/results/people/people.csv, remove OUT/persons, and run it again.
"""

import shutil
import sys
from pathlib import Path

import pandas as pd

import fkp

photos, out = Path(sys.argv[1]), Path(sys.argv[2])
results = out / "results"
fkp.annotate(photos, results, overlays=False, resume=True)
people = fkp.people(results)

table = pd.read_csv(people.folder / "keypoints.csv", usecols=["image", "person"]).dropna()
for person, images in table.groupby("person").image:
    folder = out / "persons" / str(person)
    folder.mkdir(parents=True, exist_ok=True)
    for image in images.unique():
        shutil.copyfile(image, folder / Path(image).name)
print(f"{people.faces} faces of {people.persons} persons: {out / 'persons'}, see {people.page}")
