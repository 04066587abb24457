"""Whether the labels of a source are plausible as a whole."""

import numpy as np
import numpy.typing as npt

from fkp.errors import LabelError, Setting, UndecidedError
from fkp.keypoints import FloatArray, Scheme
from fkp.labels import check
from fkp.labels.table import LabelTable, ReadOptions

MOST = 0.5
"""A fault in more than this share of the rows is a fault of the source."""

SOME = 0.2
"""A row is outside its picture if more than this share of its points are."""

FAR = 1.0
"""A point this far outside its picture, in sides of the picture, is an error."""

LARGE = 300
"""Side of pictures, in pixels, from which labels of at most 100 look like percentages."""


def see_units(points: FloatArray, options: ReadOptions, source: str) -> tuple[str, str]:
    """The units of labels (N, K, 2), one of UNITS, and a note.

    The units are those the user specifies; otherwise fractions if nearly all labels are between 0
    and 1, and pixels if not. Raises UndecidedError for labels around 0 that cannot be pixels.
    """
    if options.units is not None:
        return options.units, ""
    values = points[np.isfinite(points)]
    if len(values) == 0:
        return "pixels", ""
    low, high = float(values.min()), float(values.max())
    inside = float(((values >= 0) & (values <= 1)).mean())
    if inside > 0.95 and low > -0.5 and 0 < high < 1.5:
        return "fraction", "labels are between 0 and 1: read as fractions of width and height"
    if low >= -1.2 and high <= 1.2:
        raise UndecidedError(
            f"{source}: the labels are between {low:.2f} and {high:.2f}, so they are not pixels; "
            "they seem to go from -1 at one edge of the picture to 1 at the other",
            Setting("units", "signed", "-1 to 1"),
            Setting("units", "fraction", "0 to 1"),
            Setting("units", "pixels", "as they are"),
        )
    if low < 0 and high - low < 12:
        raise UndecidedError(
            f"{source}: the labels are between {low:.2f} and {high:.2f}, so they are not pixels; "
            "they seem to be standardised (a mean subtracted, then divided): convert them back",
            Setting("units", "pixels", "as they are"),
        )
    return "pixels", ""


def far_outside(
    points: FloatArray, size_wh: FloatArray | tuple[float, float], scheme: Scheme
) -> str:
    """Describe the first of (K, 2) points, in pixels, that is far outside a picture; "" if none."""
    size = np.asarray(size_wh, float)
    with np.errstate(invalid="ignore"):
        excess = np.maximum(-points, points - size) / size
        far = (excess > FAR).any(-1)
    if not far.any():
        return ""
    i = int(np.argmax(far))
    return (
        f"{scheme.names[i]} is at {points[i, 0]:.6g}, {points[i, 1]:.6g}, far outside the "
        f"{size[0]:g} x {size[1]:g} picture"
    )


def check_source(
    table: LabelTable, labels: FloatArray, sizes_wh: FloatArray, options: ReadOptions
) -> None:
    """Raise LabelError if labels (M, K, 2), in pixels of pictures of sizes_wh (M, 2), are plainly
    wrong as a whole, and UndecidedError if a setting would make them right.
    """
    known = np.isfinite(labels).any((1, 2))
    labels, sizes_wh = labels[known], sizes_wh[known]
    if len(labels) == 0:
        return
    _check_outside(table, labels, sizes_wh)
    _check_corner(table, labels, sizes_wh, options)
    if len(labels) > 1:
        _check_heaps(table, labels)
        _check_axes(table, labels)
        _check_sides(table, labels, options)


def _check_outside(table: LabelTable, labels: FloatArray, sizes_wh: FloatArray) -> None:
    """Refuse labels if most rows have several points outside their pictures."""
    share = _outside_share(labels, sizes_wh)
    bad = share > SOME
    if bad.mean() <= MOST:
        return
    width, height = sizes_wh[bad][0]
    outside = [p for p in labels[bad][0] if np.isfinite(p).all()]
    point = max(outside, key=lambda p: float((p / (width, height)).max()))
    what = (
        f"{table.source}: in {bad.sum()} of {len(labels)} rows, points are outside the picture "
        f"(such as {point[0]:.6g}, {point[1]:.6g} with {width:g} x {height:g} pixels)"
    )
    for power in (1, 2, 3, 4, 5, 6):
        lost = (share > 0.9).mean() > MOST
        if lost and (_outside_share(labels / 10**power, sizes_wh) <= SOME).mean() > 0.8:
            raise LabelError(
                f"{what}; divided by {10**power} they would be inside, so decimal points seem to "
                "be lost: export the table again with decimal points"
            )
    raise LabelError(
        f"{what}; these may be smaller copies of the labelled pictures, or other pictures",
        Setting("images", "FOLDER", "where the labelled pictures are"),
    )


def _outside_share(labels: FloatArray, sizes_wh: FloatArray) -> npt.NDArray[np.float64]:
    """(M,) the share of each row's points that are outside its picture by a tenth of its side."""
    margin = 0.1 * sizes_wh[:, None]
    with np.errstate(invalid="ignore"):
        outside = ((labels < -margin) | (labels > sizes_wh[:, None] + margin)).any(-1)
    count = np.isfinite(labels).all(-1).sum(1)
    return np.asarray(outside.sum(1) / np.maximum(count, 1))


def _check_corner(
    table: LabelTable, labels: FloatArray, sizes_wh: FloatArray, options: ReadOptions
) -> None:
    """Question labels that are all near the upper left corner: percentages, or pixels of copies."""
    if options.units is not None or table.units != "pixels":
        return
    high = np.nanmax(labels)
    if len(labels) >= 3 and sizes_wh.min() >= LARGE and 20 < high <= 100:
        raise UndecidedError(
            f"{table.source}: all labels are at most 100, although the pictures have "
            f"{sizes_wh.min():g} pixels or more; they seem to be percentages",
            Setting("units", "percent"),
            Setting("units", "pixels", "as they are"),
        )
    reach = np.nanmax(labels / sizes_wh[:, None], axis=(1, 2))
    if len(labels) >= 10 and np.quantile(reach, 0.95) < 0.52:
        raise UndecidedError(
            f"{table.source}: all labels are in the upper left quarter of their pictures; they "
            "seem to belong to copies of at most half the size",
            Setting("images", "FOLDER", "where the labelled pictures are"),
            Setting("units", "pixels", "the labels are correct"),
        )


def _check_heaps(table: LabelTable, labels: FloatArray) -> None:
    """Question labels if in most rows all points are in about the same place."""
    flags = check.suspicious(labels, table.scheme)
    count = sum(check.COLLAPSED in row for row in flags)
    several = np.isfinite(labels).all(-1).sum(1) > 1
    if count <= MOST * max(1, several.sum()):
        return
    low, high = np.nanmin(labels), np.nanmax(labels)
    raise UndecidedError(
        f"{table.source}: in {count} of {len(labels)} rows, points are in the same place (all "
        f"coordinates are between {low:.4g} and {high:.4g}); these may be the wrong columns, or "
        "not pixels",
        Setting("columns", "PATTERN,...", "which columns hold the points"),
        *(Setting("units", units) for units in ("fraction", "percent", "signed")),
    )


def _check_axes(table: LabelTable, labels: FloatArray) -> None:
    """Refuse labels that only form faces after exchanging x and y."""
    as_they_are, exchanged = (
        float(np.median(check.misfit(points, table.scheme)))
        for points in (labels, labels[..., ::-1])
    )
    _, down = check.directions(labels[..., ::-1], table.scheme)
    upright = float((down[:, 1] > np.abs(down[:, 0])).mean())
    if as_they_are > 0.7 and exchanged < 0.35 and upright > MOST:
        raise LabelError(
            f"{table.source}: x and y seem to be exchanged, since the points form faces only the "
            "other way round; exchange the columns"
        )


def _check_sides(table: LabelTable, labels: FloatArray, options: ReadOptions) -> None:
    """Question labels if most faces have left and right exchanged, or are flipped vertically."""
    eyes, down = check.directions(labels, table.scheme)
    with np.errstate(invalid="ignore"):
        turn = eyes[:, 0] * down[:, 1] - eyes[:, 1] * down[:, 0]
        mirrored = np.where(np.isnan(turn), eyes[:, 0] < 0, turn < 0)
        standing = np.isnan(down[:, 1]) | (down[:, 1] > 0)
    known = np.isfinite(eyes[:, 0])
    swapped, flipped = mirrored & standing & known, mirrored & ~standing & known
    if flipped.sum() > MOST * known.sum() and options.y_up is None:
        raise UndecidedError(
            f"{table.source}: {flipped.sum()} of {known.sum()} faces are flipped vertically; "
            "y seems to count upwards from the bottom of the picture",
            Setting("origin", "bottom", "y counts upwards"),
            Setting("origin", "0", "the labels are correct"),
        )
    if swapped.sum() > MOST * known.sum() and options.sides is None:
        raise UndecidedError(
            f"{table.source}: in {swapped.sum()} of {known.sum()} faces, the left eye is on the "
            "left of the picture; fkp's left and right are the subject's own",
            Setting("sides", "viewer", "left and right are the viewer's"),
            Setting("sides", "subject", "the labels are correct; the pictures are mirrored"),
        )
