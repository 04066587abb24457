"""Out again: labels in the forms of other tools, in which people correct them and come back."""

import csv
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fkp.errors import DataError, LabelError
from fkp.keypoints import KAGGLE15, Scheme
from fkp.labels.store import Samples
from fkp.labels.table import Rejected
from fkp.vision.crop import CropTransform
from fkp.vision.images import Encoded, write_image

KAGGLE_SIDE = 96


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """N labelled faces in picture files.

    paths: N files; points: (N, K, 2) pixels of these files, NaN = not labelled.
    """

    samples: Samples
    paths: list[Path]
    points: npt.NDArray[np.float64]

    @property
    def scheme(self) -> Scheme:
        """The points."""
        return self.samples.scheme


def convert(samples: Samples, form: str, output: Path) -> list[Rejected]:
    """Write a data set as `coco` (a file), `dlc` (a file), `pts` (a folder) or `kaggle` (a file).

    Rows whose source has no picture files get one of their crop, in a folder beside the output.
    Returns the rows that the form has no place for.
    """
    samples = samples.labelled()
    if len(samples) == 0:
        raise DataError("there are no labelled rows")
    output.parent.mkdir(parents=True, exist_ok=True)
    if form == "kaggle":
        return _write_kaggle(samples, output)
    folder = output if form == "pts" else output.with_name(f"{output.stem}_pictures")
    return WRITERS[form](_pictures(samples, folder), output)


def _pictures(samples: Samples, folder: Path) -> Pictures:
    """The rows with the files of their pictures; crops without one are written into a folder."""
    paths, points = [], samples.points.astype(np.float64)
    for i, source in enumerate(samples.source.tolist()):
        if source in samples.folders:
            paths.append(Path(samples.folders[source]) / str(samples.image[i]))
            points[i] = samples.transform(i).invert(points[i])
        else:
            folder.mkdir(parents=True, exist_ok=True)
            paths.append(folder / f"{Path(source).stem}_{samples.source_row[i]:06d}.png")
            write_image(paths[-1], np.asarray(samples.crops[i]))
    gone = [path for path in dict.fromkeys(paths) if not os.path.isfile(path)]
    if gone:
        raise LabelError(f"{gone[0]}: file not found; {len(gone)} pictures of the data are gone")
    return Pictures(samples, paths, points)


def _relative(path: Path, output: Path) -> str:
    return Path(os.path.relpath(path.resolve(), output.parent.resolve())).as_posix()


def _write_coco(pictures: Pictures, output: Path) -> list[Rejected]:
    """COCO keypoints: visibility 2 for a labelled point, 0 for one that is not."""
    scheme = pictures.scheme
    numbers: dict[str, int] = {}
    images, annotations = [], []
    for i, (path, points) in enumerate(zip(pictures.paths, pictures.points, strict=True), 1):
        name = _relative(path, output)
        if name not in numbers:
            numbers[name] = len(numbers) + 1
            width, height = _size(path)
            about = {"id": numbers[name], "file_name": name, "width": width, "height": height}
            images.append(about)
        known = np.isfinite(points).all(1)
        low, high = points[known].min(0), points[known].max(0)
        flat = [
            value
            for point, there in zip(points, known, strict=True)
            for value in ([*(round(float(v), 4) for v in point), 2] if there else [0, 0, 0])
        ]
        box = [round(float(v), 3) for v in (*low, *(high - low))]
        annotations.append(
            {
                "id": i,
                "image_id": numbers[name],
                "category_id": 1,
                "keypoints": flat,
                "num_keypoints": int(known.sum()),
                "bbox": box,
                "area": round(box[2] * box[3], 3),
                "iscrowd": 0,
                "attributes": {"person": str(pictures.samples.person[i - 1])},
            }
        )
    category = {
        "id": 1, "name": "face", "supercategory": "person", "keypoints": list(scheme.names),
        "skeleton": [[a + 1, b + 1] for a, b in scheme.edges],
    }  # fmt: skip
    data = {"images": images, "annotations": annotations, "categories": [category]}
    _replace(output, json.dumps(data, indent=1) + "\n")
    return []


def _size(path: Path) -> tuple[int, int]:
    """Width and height of a picture as it is seen, upright."""
    encoded = Encoded.read(path)
    return encoded.upright(encoded.decode(encoded.reduction(64), gray=True))


def _write_dlc(pictures: Pictures, output: Path) -> list[Rejected]:
    """DeepLabCut's CollectedData: with a row of individuals where a picture has several faces."""
    names = [_relative(path, output) for path in pictures.paths]
    most = max(Counter(names).values())
    faces: dict[str, list[npt.NDArray[np.float64]]] = {}
    for name, points in zip(names, pictures.points, strict=True):
        faces.setdefault(name, []).append(points)
    parts = [name for name in pictures.scheme.names for _ in "xy"]
    rows = [["scorer", *["fkp"] * len(parts) * most]]
    if most > 1:
        rows.append(["individuals", *(f"face{i + 1}" for i in range(most) for _ in parts)])
    rows.append(["bodyparts", *parts * most])
    rows.append(["coords", *["x", "y"] * (len(parts) // 2) * most])
    for name, own in faces.items():
        cells = [_cell(v) for points in own for v in points.reshape(-1)]
        rows.append([name, *cells, *[""] * (len(parts) * most - len(cells))])
    part = output.with_name(f".{output.name}.part")
    with part.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    os.replace(part, output)
    return []


def _cell(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.4f}"


def _write_pts(pictures: Pictures, output: Path) -> list[Rejected]:
    """A folder of pictures, each with its `.pts` file (iBUG 300-W), the first pixel at 0.

    The form has no way to say that a point is missing: such rows have no place.
    """
    samples, rejected = pictures.samples, []
    taken: set[str] = set()
    output.mkdir(parents=True, exist_ok=True)
    for i, (path, points) in enumerate(zip(pictures.paths, pictures.points, strict=True)):
        if not np.isfinite(points).all():
            missing = samples.scheme.names[int(np.argmin(np.isfinite(points).all(1)))]
            row = int(samples.source_row[i])
            reason = f"{missing} is not labelled; .pts files need all points"
            rejected.append(Rejected(str(samples.source[i]), row, "", reason, malformed=False))
            continue
        stem, number = path.stem, 1
        while stem in taken:
            number += 1
            stem = f"{path.stem}-{number}"
        taken.add(stem)
        picture = output / f"{stem}{path.suffix}"
        if picture.resolve() != path.resolve():
            shutil.copyfile(path, picture)
        body = "".join(f"{x:.4f} {y:.4f}\n" for x, y in points)
        _replace(output / f"{stem}.pts", f"version: 1\nn_points: {len(points)}\n{{\n{body}}}\n")
    if len(rejected) == len(samples):
        raise LabelError(f"no row has all its points: {rejected[0]}")
    return rejected


def _write_kaggle(samples: Samples, output: Path) -> list[Rejected]:
    """Kaggle's training.csv: 15 points in gray pictures of 96 pixels, from the crops."""
    if not samples.scheme.can_convert(KAGGLE15):
        raise DataError(f"from scheme {samples.scheme.name} Kaggle's 15 points cannot be had")
    points = samples.scheme.convert(samples.points, KAGGLE15)
    whole = CropTransform.whole(samples.size, samples.size, KAGGLE_SIDE)
    part = output.with_name(f".{output.name}.part")
    with part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*KAGGLE15.columns, "Image"])
        for image, own in zip(samples.crops, points, strict=True):
            crop, place = np.asarray(image), own
            if samples.size != KAGGLE_SIDE:
                crop, place = whole.cut(crop), whole.apply(own)
            pixels = " ".join(map(str, crop.reshape(-1)))
            writer.writerow([*map(_cell, place.reshape(-1)), pixels])
    os.replace(part, output)
    return []


def _replace(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)


WRITERS: dict[str, Callable[[Pictures, Path], list[Rejected]]] = {
    "coco": _write_coco,
    "dlc": _write_dlc,
    "pts": _write_pts,
}
FORMS: Sequence[str] = (*WRITERS, "kaggle")
