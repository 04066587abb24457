#!/usr/bin/env python3
"""Hide all faces in a clip except that of the person who is seen longest.

usage: python examples/hide_all_but_one.py [CLIP [OUT]]

Writes the copy into OUT/copies. Faces that were not found stay visible: watch all of it.
"""

import sys
from pathlib import Path

import pandas as pd

import fkp

clip = Path(sys.argv[1] if len(sys.argv) > 1 else "sample_images/clip.mp4")
out = Path(sys.argv[2] if len(sys.argv) > 2 else "hidden")

# The first run hides everybody and lists the faces.
fkp.hide(clip, out, jobs=1)
faces = pd.read_csv(out / "hidden_faces.csv")
faces = faces[faces.status == "hidden"]
speaker = faces.sort_values("frames_found").iloc[-1]

# The second run reuses the faces that were found.
corrections = out / "corrections.csv"
row = {"image": speaker.image, "action": "clear", "face": speaker.face}
pd.DataFrame([row]).to_csv(corrections, index=False)
report = fkp.hide(clip, out, jobs=1, corrections=corrections, overwrite=True)

print(f"face {speaker.face} is clear, {report.hidden} are hidden: {out / 'copies'}")
print(f"{report.to_check} to check: {report.page}")
