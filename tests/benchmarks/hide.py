"""How many faces `fkp hide` leaves visible, against deface, and whether hidden ones are recognised.

    python -m tests.benchmarks.hide DATA [--deface COMMAND] [--photos 300] [--seeds 2]

DATA holds `judge/phone/` (photos, all of whose faces are boxed by hand), and `ytf68/` and `scenes/`
for composed clips. Both tools fill faces with black, by their defaults otherwise. A face of a photo
is hidden where nine tenths of its 21 labelled points are; a frame of a clip shows a face where a
face that is in sight is hidden by less than nine tenths. What was black before does not count.
"""

import argparse
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

import fkp
from fkp.vision.video import Clip
from tests.benchmarks.video_tracks import material
from tests.composed import KINDS, PLAIN, Picture, Truth, compose

DARK, BLACK = 40, 28
"""Gray levels: of what may have been black before, and of what is black in a copy."""

HIDDEN = 0.9

Labels = list[tuple[str, npt.NDArray[np.float64], npt.NDArray[np.float64]]]
"""For each face: the picture, its box (4,) and points (21, 2)."""


def labels(data: Path, most: int) -> Labels:
    """The labelled faces of the first pictures."""
    table = pd.read_csv(data / "judge" / "phone" / "labels.csv")
    names = list(dict.fromkeys(table["image"]))[:most]
    rows = table[table["image"].isin(names)]
    boxes = rows[[f"box_{c}" for c in "xywh"]].to_numpy(float)
    columns = [f"p{i}_{c}" for i in range(21) for c in "xy"]
    points = rows[columns].to_numpy(float).reshape(len(rows), 21, 2)
    return list(zip(rows["image"], boxes, points, strict=True))


def blackened(before: Picture, after: Picture) -> tuple[npt.NDArray[np.bool_], Picture]:
    """Which pixels could be told to be hidden, and which of them are."""
    bright = before.max(2) > DARK
    return bright, np.asarray(bright & (after.max(2) < BLACK), np.uint8)


def share_hidden(
    points: npt.NDArray[np.float64], before: Picture, after: Picture
) -> float:  # fmt: skip
    """The share of points (N, 2) in the picture that are hidden, of those that are not dark."""
    bright, black = blackened(before, after)
    near = cv2.dilate(bright.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    there = cv2.dilate(black, np.ones((3, 3), np.uint8)) > 0
    at = np.rint(points).astype(int)
    inside = ((at >= 0) & (at < [before.shape[1], before.shape[0]])).all(1)
    x, y = at[inside].T
    known = near[y, x]
    return float(there[y, x][known].mean()) if known.any() else 1.0


def visible_faces(faces: Labels, originals: Path, copies: Path) -> float:
    """The share of faces that are not hidden."""
    visible = 0
    for name, _, points in faces:
        before, after = _read(originals / name), _read(copies / name)
        visible += share_hidden(points, before, after) < HIDDEN
    return visible / len(faces)


def _read(path: Path) -> Picture:
    image = cv2.imread(str(path))
    assert image is not None, path
    return np.asarray(image, np.uint8)


def visible_frames(truth: Truth, original: Path, copy: Path) -> tuple[int, int]:
    """Frames in which a face can be seen, and all frames with a face in sight."""
    visible = total = 0
    with Clip(original) as one, Clip(copy) as other:
        for there, before, after in zip(truth, one.frames(), other.frames(), strict=True):
            seen = [face for face in there if face.share >= PLAIN]
            total += bool(seen)
            if not seen:
                continue
            one_image, other_image = before.bgr(), after.bgr()
            if one_image.shape != other_image.shape:  # deface scales to multiples of 16
                size = (one_image.shape[1], one_image.shape[0])
                other_image = np.asarray(cv2.resize(other_image, size), np.uint8)
            bright, black = blackened(one_image, other_image)
            visible += any(
                _share(face.x, face.y, face.side, bright, black) < HIDDEN * face.share
                for face in seen
            )
    return visible, total


def _share(
    x: float, y: float, side: float, bright: npt.NDArray[np.bool_], black: Picture
) -> float:  # fmt: skip
    """How much of the disc that is a face's middle is hidden."""
    v, u = np.mgrid[: black.shape[0], : black.shape[1]]
    disc = (np.hypot(u - x, v - y) < 0.35 * side) & bright
    return float(black[disc].mean()) if disc.any() else 1.0


def by_deface(command: str, originals: list[Path], copies: Path) -> None:
    """Let deface hide, by its defaults, but for black instead of blur."""
    copies.mkdir(parents=True)
    for path in originals:
        (copies / path.name).write_bytes(path.read_bytes())
    subprocess.run(
        [command, str(copies), "--replacewith", "solid"], check=True, capture_output=True
    )
    for path in originals:
        (copies / f"{path.stem}_anonymized{path.suffix}").replace(copies / path.name)


def lbp(gray: Picture) -> npt.NDArray[np.float64]:
    """Histograms of local binary patterns (Ahonen, Hadid and Pietikaeinen, ECCV 2004), 8 x 8."""
    small = cv2.resize(gray, (98, 98), interpolation=cv2.INTER_AREA).astype(int)
    codes = np.zeros((96, 96), int)
    around = [(0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0)]
    for bit, (dy, dx) in enumerate(around):
        codes |= (small[dy : dy + 96, dx : dx + 96] >= small[1:97, 1:97]).astype(int) << bit
    cells = codes.reshape(8, 12, 8, 12).swapaxes(1, 2).reshape(64, -1)
    return np.concatenate([np.bincount(cell, minlength=256) for cell in cells]).astype(float)


def matched(one: Picture, other: Picture) -> bool:
    """Whether ORB matches two gray crops: ten pairs on which one similarity agrees."""
    orb = cv2.ORB_create(500)  # type: ignore[attr-defined]
    (at, first), (to, second) = (orb.detectAndCompute(crop, None) for crop in (one, other))
    if first is None or second is None:
        return False
    pairs = cv2.BFMatcher(cv2.NORM_HAMMING).knnMatch(first, second, k=2)
    good = [p[0] for p in pairs if len(p) == 2 and p[0].distance < 0.75 * p[1].distance]
    if len(good) < 10:
        return False
    source = np.array([at[m.queryIdx].pt for m in good], np.float32)
    target = np.array([to[m.trainIdx].pt for m in good], np.float32)
    _, agree = cv2.estimateAffinePartial2D(source, target)
    return agree is not None and int(agree.sum()) >= 10


def crops(faces: Labels, folder: Path) -> Iterator[Picture]:
    """The faces as gray squares of 128 pixels."""
    for name, (x, y, w, h), _ in faces:
        gray = cv2.cvtColor(_read(folder / name), cv2.COLOR_BGR2GRAY)
        part = cv2.getRectSubPix(gray, (max(8, round(w)), max(8, round(h))), (x + w / 2, y + h / 2))
        yield np.asarray(cv2.resize(part, (128, 128), interpolation=cv2.INTER_AREA), np.uint8)


def recognised(faces: Labels, originals: Path, copies: Path) -> str:
    """How many faces the detector, ORB and LBP still find or match in copies."""
    network = fkp.load()
    found, last, boxes = 0, "", np.zeros((0, 4))
    for name, (x, y, w, h), _ in faces:
        if name != last:
            last, boxes = name, network.annotate(copies / name).boxes.astype(float)
        middles = boxes[:, :2] + boxes[:, 2:] / 2 - (x + w / 2, y + h / 2)
        near = (np.abs(middles) < 0.35 * max(w, h)).all(1)
        found += bool((near & (boxes[:, 3] > h / 2) & (boxes[:, 3] < 2 * h)).any())
    known, hidden = list(crops(faces, originals)), list(crops(faces, copies))
    pairs = np.mean([matched(a, b) for a, b in zip(known, hidden, strict=True)])
    itself = np.mean([matched(a, a) for a in known])
    gallery, probes = np.array([lbp(c) for c in known]), np.array([lbp(c) for c in hidden])
    distance = [
        ((probe - gallery) ** 2 / np.maximum(probe + gallery, 1)).sum(1) for probe in probes
    ]
    first = np.mean([int(d.argmin()) == i for i, d in enumerate(distance)])
    return (
        f"found by fkp {found / len(faces):.1%}, matched by ORB {pairs:.1%} (originals {itself:.0%}"
        f"), first by LBP {first:.1%} (by chance {1 / len(faces):.1%})"
    )


def main() -> None:
    """Print the shares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--deface", help="the command, to compare with")
    parser.add_argument("--photos", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--kinds", nargs="*", default=list(KINDS))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        if given.photos:
            photos(given.data, given.photos, given.deface, work)
        if given.seeds:
            clips(given.data, given.kinds, given.seeds, given.deface, work)


def photos(data: Path, most: int, deface: str | None, work: Path) -> None:
    """Faces left visible in photos; what of hidden ones is recognised, by way of hiding."""
    faces = labels(data, most)
    folder = data / "judge" / "phone" / "images"
    paths = [folder / name for name in dict.fromkeys(name for name, _, _ in faces)]
    report = fkp.hide(paths, work / "fill", method="fill", jobs=1)
    copies = work / "fill" / "copies"
    print(f"photos: {len(faces)} faces in {len(paths)}; {report.hidden} places hidden by fkp")
    print(f"  visible: fkp {visible_faces(faces, folder, copies):.2%}", flush=True)
    if deface:
        by_deface(deface, paths, work / "deface")
        print(f"  visible: deface {visible_faces(faces, folder, work / 'deface'):.2%}", flush=True)
    hidden = [
        face for face in faces
        if share_hidden(face[2], _read(folder / face[0]), _read(copies / face[0])) >= HIDDEN
    ]  # fmt: skip
    for method in ("mosaic", "blur", "fill", "mask"):
        if method != "fill":
            (work / method).mkdir()
            (work / "fill" / "found").rename(work / method / "found")
            fkp.hide(paths, work / method, method=method, jobs=1)
            (work / method / "found").rename(work / "fill" / "found")
        said = recognised(hidden, folder, work / method / "copies")
        print(f"  {method}: {said}", flush=True)


def clips(data: Path, kinds: list[str], seeds: int, deface: str | None, work: Path) -> None:
    """Frames that show a face, by kind of clip."""
    totals: dict[str, list[tuple[int, int]]] = {"fkp": [], "deface": []}
    for kind in kinds:
        for seed in range(seeds):
            path = work / f"{kind}{seed}.mp4"
            sprites, backgrounds = material(data, np.random.default_rng(seed))
            truth = compose(kind, path, sprites, backgrounds, seed)
            out = work / f"{kind}{seed}"
            fkp.hide(path, out, method="fill", jobs=1)
            own = visible_frames(truth, path, out / "copies" / path.name)
            totals["fkp"].append(own)
            line = f"  {kind}{seed}: fkp {own[0]} of {own[1]}"
            if deface:
                by_deface(deface, [path], work / f"{kind}{seed}-deface")
                theirs = visible_frames(truth, path, work / f"{kind}{seed}-deface" / path.name)
                totals["deface"].append(theirs)
                line += f", deface {theirs[0]} of {theirs[1]}"
            print(line, flush=True)
    for name, counts in totals.items():
        if counts:
            visible, frames = np.sum(counts, axis=0)
            print(
                f"clips: {name}: {visible} of {frames} frames show a face ({visible / frames:.2%})"
            )


if __name__ == "__main__":
    main()
