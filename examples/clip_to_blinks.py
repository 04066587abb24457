#!/usr/bin/env python3
"""A clip to a table of blinks, and a plot of how far the eyes of each person are open.

usage: python examples/clip_to_blinks.py [CLIP [OUT]]

Writes blinks.csv and openings.png into OUT.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt

import fkp

clip = Path(sys.argv[1] if len(sys.argv) > 1 else "sample_images/clip.mp4")
out = Path(sys.argv[2] if len(sys.argv) > 2 else "results")
out.mkdir(parents=True, exist_ok=True)

frames = list(fkp.load().video(clip))
events = fkp.events(frames)
blinks = events[events.event == "blink"]
blinks.to_csv(out / "blinks.csv", index=False)

# Eyes differ between people: each is shown as a share of its own median.
table = fkp.to_frame(frames, measures=True).dropna(subset="face")
figure, axes = plt.subplots(figsize=(9, 3))
for face, own in table.groupby("face"):
    for eye in ("right", "left"):
        opening = own[f"{eye}_eye_opening"]
        axes.plot(own.time, opening / opening.median(), label=f"face {face}, {eye}")
for onset, end in blinks[["onset", "end"]].to_numpy():
    axes.axvspan(onset, end, alpha=0.2, linewidth=0)
axes.set(xlabel="seconds", ylabel="opening, of the median")
axes.legend()
figure.savefig(out / "openings.png")
print(f"{len(blinks)} blinks of an eye, of {table.face.nunique()} faces: {out / 'blinks.csv'}")
