"""The faces of a picture, and what a network predicts for crops."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, overload

import numpy as np
import numpy.typing as npt

from fkp.errors import DataError
from fkp.keypoints.rotation import rotation
from fkp.keypoints.scheme import Scheme

if TYPE_CHECKING:
    import pandas as pd

RADIUS_90 = 3.8897
"""The 90 % radius of a point's error, in scales: the 0.9 quantile of a Gamma distribution of
shape 2."""

SHOWN = 800
"""Long side of the picture shown in a notebook, in pixels, at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """What a network predicts for N crops, in crop pixels.

    points: (N, K, 2) float32; scale: (N, K) float32, of the distances between a point and its
    true place (times RADIUS_90: the 90 % radius); face: (N,) float32, the probability that the crop
    shows a face; visible: (N, K) float32, the probability that a point is visible, neither covered
    nor hidden by the face itself. NaN where the network does not estimate it.
    """

    points: npt.NDArray[np.float32]
    scale: npt.NDArray[np.float32]
    face: npt.NDArray[np.float32]
    visible: npt.NDArray[np.float32]

    def confidence(self, tolerance: float) -> npt.NDArray[np.float32]:
        """(N, K): the probability that a point is visible and lies within `tolerance` pixels of its
        true place; the latter alone if the network does not estimate visibility.
        """
        reach = tolerance / np.maximum(self.scale, 1e-9)
        within = 1 - (1 + reach) * np.exp(-reach)
        seen = np.where(np.isnan(self.visible), 1.0, self.visible)
        return np.asarray(within * seen, np.float32)

    @classmethod
    def unknown(cls, count: int, points: int) -> "Prediction":
        """A prediction of NaN for `count` crops with `points` points each."""
        each = (count, points)
        shapes = ((*each, 2), each, (count,), each)
        return cls(*(np.full(shape, np.nan, np.float32) for shape in shapes))

    @classmethod
    def joined(cls, parts: "Sequence[Prediction]") -> "Prediction":
        """Concatenate predictions."""
        fields = zip(*((p.points, p.scale, p.face, p.visible) for p in parts), strict=True)
        return cls(*(np.concatenate(field) for field in fields))

    def take(self, rows: slice | npt.NDArray[np.int64]) -> "Prediction":
        """The prediction for some of the crops."""
        return Prediction(self.points[rows], self.scale[rows], self.face[rows], self.visible[rows])

    def changed(self, rows: npt.NDArray[np.int64], new: "Prediction") -> "Prediction":
        """A copy in which these rows are those of another prediction."""
        order = np.arange(len(self.face))
        order[rows] = len(order) + np.arange(len(rows))
        return Prediction.joined([self, new]).take(order)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Face:
    """One face, in original-image pixels.

    box: (4,) float32, x, y, width, height. points: (K, 2) float32; confidence: (K,) float32; NaN
    as in `Faces`. number: who it is among the faces of a clip, None in a picture. quality: (2,)
    and iris: (2, 3) as in `Faces`.
    """

    scheme: Scheme
    box: npt.NDArray[np.float32]
    score: float
    points: npt.NDArray[np.float32]
    confidence: npt.NDArray[np.float32]
    number: int | None = None
    quality: npt.NDArray[np.float32] | None = None
    iris: npt.NDArray[np.float32] | None = None

    def point(self, name: str) -> npt.NDArray[np.float32]:
        """The point (2,) of that name; DataError where the scheme has none."""
        if name not in self.scheme.names:
            known = ", ".join(self.scheme.names[:5])
            raise DataError(f"scheme {self.scheme.name} has no point {name}; it has {known}, ...")
        return np.asarray(self.points[self.scheme.names.index(name)], np.float32)

    @property
    def rotation(self) -> float:
        """Clockwise rotation in degrees, see `Faces.rotation`."""
        return float(rotation(self.scheme.anchor_points(self.points)[None])[0])

    def __repr__(self) -> str:
        x, y, width, height = (round(float(v)) for v in self.box)
        who = "" if self.number is None else f"number {self.number}, "
        return (
            f"<Face: {who}{width}x{height} at ({x}, {y}), score {self.score:.2f}, "
            f"{len(self.scheme)} points ({self.scheme.name})>"
        )


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Faces:
    """The F faces of one picture, in original-image pixels.

    boxes: (F, 4) float32, x, y, width, height.
    scores: (F,) float32, NaN without a detector.
    points: (F, K, 2) float32, NaN = missing.
    confidence: (F, K) float32, NaN if the network gives none.
    numbers: (F,) int64, the faces' numbers in a clip; None in a picture.
    picture: the picture that shows them, if known: a file, or (H, W, 3) BGR.
    quality: (F, 2) float32, sharpness and exposure, see `fkp.vision.quality`; None if not measured.
    iris: (F, 2, 3) float32, x, y and radius of the right and the left iris, NaN if not visible, see
    `fkp.vision.iris`; None if not measured.

    `len(faces)` counts them, iterating yields each as a `Face`, `faces[0]` is the first, and a
    slice, a boolean mask (F,) or a list of indices selects some: `faces[faces.scores > 0.9]`.
    """

    scheme: Scheme
    boxes: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    points: npt.NDArray[np.float32]
    confidence: npt.NDArray[np.float32]
    numbers: npt.NDArray[np.int64] | None = None
    picture: npt.NDArray[np.uint8] | str | Path | None = None
    quality: npt.NDArray[np.float32] | None = None
    iris: npt.NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        f, k = len(self.boxes), len(self.scheme)
        expected = {"boxes": (f, 4), "scores": (f,), "points": (f, k, 2), "confidence": (f, k)}
        for name, shape in expected.items():
            array = getattr(self, name)
            if array.shape != shape or array.dtype != np.float32:
                raise ValueError(
                    f"Faces.{name}: expected float32 {shape}, got {array.dtype} {array.shape}"
                )
        if self.numbers is not None and self.numbers.shape != (f,):
            raise ValueError(f"Faces.numbers: expected {(f,)}, got {self.numbers.shape}")
        if self.quality is not None and self.quality.shape != (f, 2):
            raise ValueError(f"Faces.quality: expected {(f, 2)}, got {self.quality.shape}")
        if self.iris is not None and self.iris.shape != (f, 2, 3):
            raise ValueError(f"Faces.iris: expected {(f, 2, 3)}, got {self.iris.shape}")

    def __len__(self) -> int:
        return len(self.boxes)

    def __iter__(self) -> Iterator[Face]:
        return (self[i] for i in range(len(self)))

    @overload
    def __getitem__(self, rows: int) -> Face: ...

    @overload
    def __getitem__(
        self, rows: slice | Sequence[int] | npt.NDArray[np.integer | np.bool_]
    ) -> "Faces": ...

    def __getitem__(
        self, rows: int | slice | Sequence[int] | npt.NDArray[np.integer | np.bool_]
    ) -> "Face | Faces":
        if isinstance(rows, int | np.integer):
            number = None if self.numbers is None else int(self.numbers[rows])
            return Face(
                self.scheme, self.boxes[rows], float(self.scores[rows]), self.points[rows],
                self.confidence[rows], number, None if self.quality is None else self.quality[rows],
                None if self.iris is None else self.iris[rows],
            )  # fmt: skip
        if not isinstance(rows, slice):
            rows = np.asarray(rows, None if len(rows) else np.int64)
        return replace(
            self,
            boxes=self.boxes[rows],
            scores=self.scores[rows],
            points=self.points[rows],
            confidence=self.confidence[rows],
            numbers=None if self.numbers is None else self.numbers[rows],
            quality=None if self.quality is None else self.quality[rows],
            iris=None if self.iris is None else self.iris[rows],
        )

    def __repr__(self) -> str:
        count = len(self)
        return (
            f"<Faces: {count} face{'' if count == 1 else 's'}, {len(self.scheme)} points each "
            f"({self.scheme.name})>"
        )

    @property
    def rotation(self) -> npt.NDArray[np.float32]:
        """Clockwise rotation of each face from upright, in degrees: (F,), one of 0, 90, 180 and
        270, NaN if the points do not determine it.
        """
        return rotation(self.scheme.anchor_points(self.points))

    def numbered(self, numbers: Sequence[int]) -> "Faces":
        """The same faces with these numbers (F,)."""
        return replace(self, numbers=np.asarray(numbers, np.int64))

    def scaled(self, factor: float) -> "Faces":
        """The same faces in the picture scaled by `factor`."""
        boxes = self.boxes * np.float32(factor)
        boxes[:, :2] += np.float32((factor - 1) / 2)
        points = (self.points + np.float32(0.5)) * np.float32(factor) - np.float32(0.5)
        iris = self.iris
        if iris is not None:
            iris = iris * np.float32(factor)
            iris[..., :2] += np.float32((factor - 1) / 2)
        return replace(self, boxes=boxes, points=points, picture=None, iris=iris)

    def draw(
        self, image: npt.NDArray[np.uint8] | str | Path | None = None, boxes: bool = True
    ) -> npt.NDArray[np.uint8]:
        """A copy of a picture with the faces drawn, (H, W, 3) BGR.

        image: a file, or an array (H, W, 3) BGR or (H, W) gray; None takes `picture`, or a blank
        canvas if it is unknown. Raises ImageError.
        """
        from fkp.vision.draw import KeypointAnnotator, as_bgr, canvas
        from fkp.vision.images import read_image

        image = self.picture if image is None else image
        if image is None:
            image = canvas(self)
        elif isinstance(image, str | Path):
            image = read_image(image)
        return KeypointAnnotator(boxes=boxes).draw(as_bgr(image), self)

    def to_frame(self, confidence: bool = False) -> "pd.DataFrame":
        """A table with a row per face, with the columns of `keypoints.csv` that describe a face.

        confidence: add a column for the confidence of each point.
        """
        from fkp.annotate.output.frames import face_table

        return face_table(self, confidence)

    def _repr_jpeg_(self) -> bytes:
        """The drawn faces as PNG, for notebooks."""
        from fkp.vision.images import encoded_jpeg, resized

        far = float((self.boxes[:, :2] + self.boxes[:, 2:]).max(initial=1))
        faces = self.scaled(min(1.0, SHOWN / far)) if self.picture is None else self
        drawn = faces.draw()
        return encoded_jpeg(resized(drawn, min(1.0, SHOWN / max(drawn.shape[:2]))), 85)

    @classmethod
    def empty(cls, scheme: Scheme) -> "Faces":
        """No faces."""
        k = len(scheme)
        boxes, scores = np.zeros((0, 4), np.float32), np.zeros(0, np.float32)
        return cls(
            scheme, boxes, scores, np.zeros((0, k, 2), np.float32), np.zeros((0, k), np.float32)
        )
