#!/usr/bin/env python3
"""A clip to a table of blinks: when the eyes of each person were closed, and for how long.

usage: python examples/clip_to_blinks.py [CLIP [OUT]]

Writes blinks.csv and openings.png into OUT.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

import fkp

clip = Path(sys.argv[1] if len(sys.argv) > 1 else "sample_images/clip.mp4")
out = Path(sys.argv[2] if len(sys.argv) > 2 else "results")
out.mkdir(parents=True, exist_ok=True)

# Eyes differ between people: they count as closed below this share of the person's own median.
CLOSED = 0.6

# A blink lasts only a few frames: its depth is taken from points that are not smoothed.
frames = fkp.load().video(clip, smooth=0)
table = fkp.to_frame(frames, measures=True).dropna(subset="face")
table["opening"] = table[["left_eye_opening", "right_eye_opening"]].mean(axis=1)

blinks = []
figure, axes = plt.subplots(figsize=(9, 3))
for face, own in table.groupby("face"):
    relative = own.opening / own.opening.median()
    axes.plot(own.timestamp, relative, label=f"face {face}")
    closed = relative < CLOSED
    # Consecutive frames with closed eyes are one blink.
    for _, run in own[closed].groupby((~closed).cumsum()[closed]):
        first, last = run.timestamp.iloc[0], run.timestamp.iloc[-1]
        blinks.append({"face": face, "start": first, "end": last, "frames": len(run)})
axes.axhline(CLOSED, color="gray", linestyle="dotted")
axes.set(xlabel="seconds", ylabel="opening, of the median")
axes.legend()
figure.savefig(out / "openings.png")

result = pd.DataFrame(blinks, columns=["face", "start", "end", "frames"])
result.to_csv(out / "blinks.csv", index=False)
print(f"{len(result)} blinks of {table.face.nunique()} faces: {out / 'blinks.csv'}")
