"""The results as data sets for object detection tools: COCO and YOLO."""

import json
from collections.abc import Iterable
from pathlib import Path, PurePath

import numpy as np

from fkp.annotate.outcome import Annotated, Failure
from fkp.annotate.output.rows import Record
from fkp.errors import FkpError
from fkp.files import scratch
from fkp.keypoints import Faces, Scheme
from fkp.vision.images import fitting_name


def write_coco(path: Path, scheme: Scheme, records: Iterable[Record]) -> None:
    """Write a COCO keypoints file (Lin et al., ECCV 2014): boxes and points with their scores.

    Every input is one of `images`, with fkp's `status`; the width and height of an unreadable one
    are 0.
    """
    category = {
        "id": 1,
        "name": "face",
        "supercategory": "person",
        "keypoints": list(scheme.names),
        "skeleton": [[a + 1, b + 1] for a, b in scheme.edges],
    }
    count = 0
    # What comes last waits aside.
    with path.open("w", encoding="utf-8") as out, scratch(path.parent) as aside:
        head = {"info": {"description": "annotated by fkp"}, "categories": [category]}
        out.write(json.dumps(head)[:-1] + ', "annotations": [')
        for number, (name, result) in enumerate(records, 1):
            aside.write(
                ("," if number > 1 else "") + "\n" + json.dumps(_image(number, name, result))
            )
            if isinstance(result, Annotated):
                for i in range(len(result.faces)):
                    count += 1
                    face = json.dumps(_annotation(count, number, result.faces, i))
                    out.write(("," if count > 1 else "") + "\n" + face)
        aside.seek(0)
        out.write('\n], "images": [')
        out.writelines(aside)
        out.write("\n]}\n")


def _image(number: int, name: str, result: Annotated | Failure) -> dict[str, object]:
    if isinstance(result, Failure):
        about: dict[str, object] = {"width": 0, "height": 0, "reason": result.reason}
    else:
        about = {"width": result.width, "height": result.height}
    return {"id": number, "file_name": name, **about, "status": result.status}


def _annotation(number: int, image: int, faces: Faces, i: int) -> dict[str, object]:
    points = faces.points[i]
    known = np.isfinite(points).all(1)
    flat: list[float] = []
    for (x, y), there in zip(points, known, strict=True):
        flat += [round(float(x), 3), round(float(y), 3), 2] if there else [0, 0, 0]
    box = [round(float(v), 2) for v in faces.boxes[i]]
    score = float(faces.scores[i])
    return {
        "id": number,
        "image_id": image,
        "category_id": 1,
        "bbox": box,
        "area": round(box[2] * box[3], 2),
        "iscrowd": 0,
        "num_keypoints": int(known.sum()),
        "keypoints": flat,
        **({"score": round(score, 4)} if np.isfinite(score) else {}),
    }


class YoloFolder:
    """A pose data set of Ultralytics YOLO: a text file named like each picture, and data.yaml.

    A line per face: class, centre and sides of the box, then x, y, visibility of each point, all as
    fractions of the picture. A picture without a face has an empty file; an unreadable one has
    none.
    """

    def __init__(self, folder: Path, scheme: Scheme) -> None:
        self.folder, self.scheme = folder, scheme

    @staticmethod
    def check(names: Iterable[str]) -> None:
        """Raise FkpError where two pictures would share a file."""
        seen: dict[str, str] = {}
        for name in names:
            label = str(PurePath(name).with_suffix(".txt"))
            if seen.setdefault(label, name) != name:
                raise FkpError(f"yolo: {seen[label]} and {name} would share {label}")

    def write(self, records: Iterable[tuple[str, Annotated | Failure]]) -> None:
        """Write all files; the names of the records are relative to the folder of the inputs."""
        for name, result in records:
            if isinstance(result, Annotated):
                label = fitting_name(str(PurePath(name).with_suffix(".txt")))
                target = self.folder / "labels" / label
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text("".join(self._line(result, i) for i in range(len(result.faces))))
        flip = self.scheme.flip_order or range(len(self.scheme))
        text = (
            "# Put the pictures into images/, in the tree of labels/.\n"
            "path: .\ntrain: images\nval: images\n"
            f"kpt_shape: [{len(self.scheme)}, 3]\n"
            f"flip_idx: [{', '.join(map(str, flip))}]\n"
            "names:\n  0: face\n"
            f"kpt_names:\n  0: {json.dumps(self.scheme.names)}\n"
            "pixel_origin: 0.5  # of the first pixel's centre, in pixels; read by fkp prepare\n"
        )
        (self.folder / "data.yaml").write_text(text, encoding="utf-8")

    def _line(self, result: Annotated, i: int) -> str:
        side = np.array([result.width, result.height], np.float64)
        # YOLO's box must not extend beyond the picture. Continuous pixels: the corner is at 0.
        low = np.clip((result.faces.boxes[i, :2] + 0.5) / side, 0, 1)
        high = np.clip((result.faces.boxes[i, :2] + result.faces.boxes[i, 2:] + 0.5) / side, 0, 1)
        cells = [f"{v:.6f}" for v in (*((low + high) / 2), *(high - low))]
        for point in (result.faces.points[i] + 0.5) / side:
            inside = bool(((point >= 0) & (point <= 1)).all())  # False for NaN
            cells += [*(f"{v:.6f}" for v in point), "2"] if inside else ["0", "0", "0"]
        return f"0 {' '.join(cells)}\n"
