"""Rows as other tools write or read them: OpenFace, Py-Feat, DeepLabCut, Kaggle."""

import numpy as np

from fkp.annotate.outcome import Annotated, Result
from fkp.annotate.output.rows import BOX, POINT, SCORE, rows_of
from fkp.annotate.output.text import csv_line, number_cells
from fkp.errors import DataError, FkpError, ImageError
from fkp.keypoints import KAGGLE15, Face, FloatArray, Scheme
from fkp.vision.crop import UPRIGHT_LAYOUT, CropTransform
from fkp.vision.head import Camera, fit_head, lifted
from fkp.vision.images import read_image, to_gray


class OpenFaceRows:
    """The columns of OpenFace 2 that fkp has, with its names and order (Baltrusaitis et al., FG
    2018): frame, face_id, timestamp, confidence, success, pose_Tx to pose_Rz, x_0 to y_67, X_0 to
    Z_67; then image, status and reason. The columns of gaze, action units and OpenFace's shape
    model are left out.

    frame counts the inputs, or the frames of a clip, from 1. As in OpenFace, a row without a face
    has zeros; an interpolated face has a success of 0. The pose is that of the mean head, its
    position that of the mean of the 68 points; X, Y and Z are the points at the mean head's depths.
    They are empty if the points fit no head.
    """

    suffix = "csv"

    def __init__(self, scheme: Scheme, camera: Camera | None = None) -> None:
        self.frame, self.camera = 0, camera or Camera()

    def header(self) -> str:
        """The names of the columns."""
        pose = [f"pose_{what}{axis}" for what in "TR" for axis in "xyz"]
        points = [f"{axis}_{i}" for axis in "xyXYZ" for i in range(68)]
        first = ["frame", "face_id", "timestamp", "confidence", "success"]
        return csv_line([*first, *pose, *points, "image", "status", "reason"])

    def of(self, image: str, result: Result) -> str:
        """A line per face, or one of zeros."""
        self.frame = self.frame + 1 if result.moment is None else result.moment.frame + 1
        time = f"{result.moment.time if result.moment else 0:.3f}"
        lines = []
        for row in rows_of(image, result):
            who, found = "0", ["0.00", "0", *["0.0"] * 3, *["0.000"] * 3, *["0.0"] * 340]
            if row.face is not None and row.size is not None:
                who = str(row.face.number)
                found = self._found(row.face, row.status == "ok", row.size)
            last = [row.image, row.status, row.reason]
            lines.append(csv_line([str(self.frame), who, time, *found, *last]))
        return "".join(lines)

    def _found(self, face: Face, seen: bool, size: tuple[int, int]) -> list[str]:
        """The cells from confidence to Z_67 of a face in a picture of this width and height."""
        matrix = self.camera.matrix(*size)
        fit = fit_head(face.points, matrix)
        pose, solid = [""] * 6, [""] * 204
        if fit is not None:
            pose = number_cells(fit.placed().mean(0), 1) + number_cells(fit.angles(), 3)
            solid = number_cells(lifted(face.points, fit, matrix).T.reshape(-1), 1)
        confidence = f"{np.nan_to_num(face.confidence.mean()):.2f}"
        flat = number_cells(face.points.T.reshape(-1), 1)
        return [confidence, str(int(seen)), *pose, *flat, *solid]


class PyFeatRows:
    """The columns of a Py-Feat `Fex` that fkp has (Cheong et al., Affective Science 4, 2023).

    frame counts the inputs, or the frames of a clip, from 0; input is the file. Without a face, the
    others are empty.
    """

    suffix = "csv"

    def __init__(self, scheme: Scheme, camera: Camera | None = None) -> None:
        self.frame = -1

    def header(self) -> str:
        """The names of the columns."""
        box = [f"FaceRect{side}" for side in ("X", "Y", "Width", "Height")]
        points = [f"{axis}_{i}" for axis in "xy" for i in range(68)]
        return csv_line([*box, "FaceScore", *points, "input", "frame"])

    def of(self, image: str, result: Result) -> str:
        """A line per face, or an empty one."""
        self.frame = self.frame + 1 if result.moment is None else result.moment.frame
        lines = []
        for row in rows_of(image, result):
            found = [""] * 141
            if row.face is not None:
                score = number_cells(np.array([row.face.score]), SCORE)
                points = number_cells(row.face.points.T.reshape(-1), POINT)
                found = [*number_cells(row.face.box, BOX), *score, *points]
            lines.append(csv_line([*found, image, str(self.frame)]))
        return "".join(lines)


class DeepLabCutRows:
    """Predictions as DeepLabCut writes them: three header rows, x, y and likelihood per body part.

    One individual: the highest-scoring face of a picture, or the face of the lowest number in a
    frame of a clip; there is no place for others. A clip's rows begin with the number of the frame.
    """

    suffix = "csv"

    def __init__(self, scheme: Scheme, camera: Camera | None = None) -> None:
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
        name = image if result.moment is None else str(result.moment.frame)
        face = rows_of(image, result)[0].face
        if face is None:
            return csv_line([name, *[""] * (3 * len(self.scheme))])
        values = np.column_stack([face.points, face.confidence])  # (K, 3)
        return csv_line([name, *number_cells(values.reshape(-1), POINT)])


class KaggleRows:
    """The table of Kaggle's Facial Keypoints Detection: points in gray crops of 96 pixels, and the
    crops themselves, which are cut from the pictures once more; followed by the picture.

    Inputs without a face have no row.
    """

    suffix = "csv"
    SIDE = 96

    def __init__(self, scheme: Scheme, camera: Camera | None = None) -> None:
        self.scheme = scheme

    def header(self) -> str:
        """The names of the columns."""
        return csv_line([*self.scheme.columns, "Image", "file", "face"])

    def of(self, image: str, result: Result) -> str:
        """A line per face."""
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
            row = number_cells(transform.apply(points).reshape(-1), POINT)
            pixels = " ".join(map(str, crop.reshape(-1)))
            lines.append(csv_line([*row, pixels, image, str(i)]))
        return "".join(lines)


def _frame(points: FloatArray, side: int) -> CropTransform:
    try:
        return CropTransform.framed(KAGGLE15.anchor_points(points), UPRIGHT_LAYOUT, side)
    except DataError:
        return CropTransform.around(points, side)
