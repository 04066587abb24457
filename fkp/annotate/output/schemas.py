"""Rows as other tools write or read them: OpenFace, Py-Feat, DeepLabCut, Kaggle."""

from collections.abc import Callable

import numpy as np

from fkp.annotate.outcome import Annotated, Result
from fkp.annotate.output.rows import BOX, POINT, SCORE, Rows, cell, cells, csv_line
from fkp.errors import DataError, FkpError, ImageError
from fkp.keypoints import IBUG68, KAGGLE15, FloatArray, Scheme
from fkp.vision.crop import UPRIGHT_LAYOUT, CropTransform
from fkp.vision.images import read_image, to_gray


def _only(scheme: Scheme, wanted: Scheme, schema: str) -> None:
    if scheme.names != wanted.names:
        raise FkpError(
            f"--schema {schema} has the points of {wanted.name}: use --scheme {wanted.name} "
            "or a network that finds them"
        )


class OpenFaceRows:
    """The columns of OpenFace 2 that fkp has: frame, face_id, timestamp, confidence, success, x_0
    to x_67, y_0 to y_67 (Baltrusaitis et al., FG 2018), and behind them the picture.

    frame counts the inputs, or the frames of a clip, from 1. As in OpenFace, a frame without a face
    has zeros; a face that was only filled in has a success of 0.
    """

    suffix = "csv"

    def __init__(self, scheme: Scheme) -> None:
        _only(scheme, IBUG68, "openface")
        self.frame = 0

    def header(self) -> str:
        """The names of the columns."""
        points = [f"{axis}_{i}" for axis in "xy" for i in range(68)]
        first = ["frame", "face_id", "timestamp", "confidence", "success"]
        return csv_line([*first, *points, "image", "status", "reason"])

    def of(self, image: str, result: Result) -> str:
        """A line a face, or one of zeros."""
        self.frame = self.frame + 1 if result.moment is None else result.moment.frame + 1
        time = f"{result.moment.time if result.moment else 0:.3f}"
        nothing = [str(self.frame), "0", time, "0.00", "0", *["0.0"] * 136, image]
        if not isinstance(result, Annotated):
            return csv_line([*nothing, result.status, result.reason])
        faces = result.faces
        if len(faces) == 0:
            return csv_line([*nothing, result.status, result.note])
        lines = []
        for i in range(len(faces)):
            sure = np.nan_to_num(faces.confidence[i].mean())
            points = cells(faces.points[i].T.reshape(-1), 1)
            success = str(int(result.status_of(i) == "ok"))
            first = [str(self.frame), str(result.number(i)), time, f"{sure:.2f}", success]
            lines.append(csv_line([*first, *points, image, result.status_of(i), result.note]))
        return "".join(lines)


class PyFeatRows:
    """The columns of a Py-Feat `Fex` that fkp has (Cheong et al., Affective Science 4, 2023).

    frame counts the inputs, or the frames of a clip, from 0, input is the file. Without a face, all
    else is empty.
    """

    suffix = "csv"

    def __init__(self, scheme: Scheme) -> None:
        _only(scheme, IBUG68, "pyfeat")
        self.frame = -1

    def header(self) -> str:
        """The names of the columns."""
        box = [f"FaceRect{side}" for side in ("X", "Y", "Width", "Height")]
        points = [f"{axis}_{i}" for axis in "xy" for i in range(68)]
        return csv_line([*box, "FaceScore", *points, "input", "frame"])

    def of(self, image: str, result: Result) -> str:
        """A line a face, or an empty one."""
        self.frame = self.frame + 1 if result.moment is None else result.moment.frame
        last = [image, str(self.frame)]
        if not isinstance(result, Annotated) or len(result.faces) == 0:
            return csv_line([""] * 141 + last)
        faces = result.faces
        lines = []
        for i in range(len(faces)):
            box, score = cells(faces.boxes[i], BOX), cell(faces.scores[i], SCORE)
            points = cells(faces.points[i].T.reshape(-1), POINT)
            lines.append(csv_line([*box, score, *points, *last]))
        return "".join(lines)


class DeepLabCutRows:
    """Predictions as DeepLabCut writes them: three header rows, x, y and likelihood a body part.

    One individual: a picture's surest face, or the face of lowest number in a frame of a clip;
    further ones have no place. A clip's rows begin with the number of the frame.
    """

    suffix = "csv"

    def __init__(self, scheme: Scheme) -> None:
        self.scheme = scheme

    def header(self) -> str:
        """The three header rows."""
        k = len(self.scheme)
        names = [name for name in self.scheme.names for _ in range(3)]
        return (
            csv_line(["scorer", *["fkp"] * (3 * k)])
            + csv_line(["bodyparts", *names])
            + csv_line(["coords", *["x", "y", "likelihood"] * k])
        )

    def of(self, image: str, result: Result) -> str:
        """One line."""
        image = image if result.moment is None else str(result.moment.frame)
        if not isinstance(result, Annotated) or len(result.faces) == 0:
            return csv_line([image, *[""] * (3 * len(self.scheme))])
        faces = result.faces
        rows = zip(faces.points[0], faces.confidence[0], strict=True)
        return csv_line([image, *(cell(v, POINT) for p, sure in rows for v in (*p, sure))])


class KaggleRows:
    """The table of Kaggle's Facial Keypoints Detection: points in gray crops of 96 pixels, and the
    crops themselves, which are cut from the pictures once more. Behind them the picture.

    Inputs without a face have no row.
    """

    suffix = "csv"
    SIDE = 96

    def __init__(self, scheme: Scheme) -> None:
        _only(scheme, KAGGLE15, "kaggle")

    def header(self) -> str:
        """The names of the columns."""
        return csv_line([*KAGGLE15.columns, "Image", "file", "face"])

    def of(self, image: str, result: Result) -> str:
        """A line a face."""
        if not isinstance(result, Annotated) or len(result.faces) == 0:
            return ""
        try:
            picture = read_image(image)
        except ImageError as error:
            raise FkpError(f"{image}: {error}, though it was read before") from error
        lines = []
        for i, points in enumerate(result.faces.points):
            transform = _frame(points, self.SIDE)
            crop = to_gray(transform.cut(picture))
            row = cells(transform.apply(points).reshape(-1), POINT)
            pixels = " ".join(map(str, crop.reshape(-1)))
            lines.append(csv_line([*row, pixels, image, str(i)]))
        return "".join(lines)


def _frame(points: FloatArray, side: int) -> CropTransform:
    try:
        return CropTransform.framed(KAGGLE15.anchor_points(points), UPRIGHT_LAYOUT, side)
    except DataError:
        return CropTransform.around(points, side)


ROW_SCHEMAS: dict[str, Callable[[Scheme], Rows]] = {
    "openface": OpenFaceRows,
    "pyfeat": PyFeatRows,
    "dlc": DeepLabCutRows,
    "kaggle": KaggleRows,
}

OWN_SCHEME = {"kaggle": KAGGLE15}
"""The points that a schema has, where not those of the network."""
