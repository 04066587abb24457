"""A model's points for the rows of a data set, and submissions to Kaggle."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from fkp.errors import DataError, LabelError
from fkp.files import replacing
from fkp.keypoints import KAGGLE15
from fkp.labels.formats.kaggle import SIDE as KAGGLE_SIDE
from fkp.labels.store import Samples
from fkp.learn.evaluation.evaluate import predict_crops
from fkp.learn.networks.checkpoint import Model


def predict(model: Model, samples: Samples) -> npt.NDArray[np.float64]:
    """Points (N, K, 2) in the model's scheme, in pixels of the pictures the crops were cut from."""
    points = predict_crops(model, samples)[0]
    return np.stack([samples.transform(i).invert(p) for i, p in enumerate(points)])


def predictions(model: Model, samples: Samples) -> pd.DataFrame:
    """A table with a row per sample: image, source, source_row and points; `prepare` reads it."""
    flat = predict(model, samples).reshape(len(samples), -1)
    return pd.DataFrame(
        {"image": samples.image, "source": samples.source, "source_row": samples.source_row}
        | {name: flat[:, i].round(3) for i, name in enumerate(model.scheme.columns)}
    )


def write_submission(path: Path, model: Model, samples: Samples, lookup: Path) -> int:
    """Write a submission to Kaggle's Facial Keypoints: RowId, Location for IdLookupTable.csv.

    Locations are clipped to the picture, as the contest's are. Returns how many were clipped.
    Raises DataError or LabelError if model, data and lookup table do not match.
    """
    wanted = _lookup(lookup)
    if not model.scheme.can_convert(KAGGLE15):
        raise DataError(
            f"Kaggle's 15 points cannot be made from the network's {len(model.scheme)} points "
            f"({model.scheme.name})"
        )
    points = model.scheme.convert(predict(model, samples), KAGGLE15)
    ids = samples.other.get("ImageId")
    # Without the column, pictures are counted by rows of the file; the header is line 1.
    numbers = samples.source_row - 1 if ids is None else ids.astype(np.int64)
    row_of = {int(number): i for i, number in enumerate(numbers)}
    column_of = {name: i for i, name in enumerate(KAGGLE15.columns)}
    missing = sorted(set(wanted["ImageId"].tolist()) - set(row_of))
    if missing:
        raise DataError(f"{lookup}: ImageId {missing[0]} is not in the data")
    unknown = sorted(set(wanted["FeatureName"].tolist()) - set(column_of))
    if unknown:
        raise DataError(f"{lookup}: {unknown[0]} is not a coordinate of Kaggle's 15 points")
    flat = points.reshape(len(samples), -1)
    rows = wanted["ImageId"].map(row_of).to_numpy(np.int64)
    columns = wanted["FeatureName"].map(column_of).to_numpy(np.int64)
    locations = flat[rows, columns]
    clipped = np.clip(locations, 0, KAGGLE_SIDE)
    write_table(path, pd.DataFrame({"RowId": wanted["RowId"], "Location": clipped.round(6)}))
    return int((clipped != locations).sum())


def _lookup(path: Path) -> pd.DataFrame:
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise LabelError(f"{path}: cannot be read as a table: {error}") from error
    for name in ("RowId", "ImageId", "FeatureName"):
        if name not in table.columns:
            raise LabelError(f"{path}: expected Kaggle's IdLookupTable.csv with a column {name}")
        if table[name].isna().any():
            row = int(np.flatnonzero(table[name].isna())[0]) + 2
            raise LabelError(
                f"{path} row {row}, column {name}: expected a value, got an empty cell"
            )
    try:
        return table.astype({"RowId": np.int64, "ImageId": np.int64})
    except ValueError as error:
        raise LabelError(f"{path}: expected integers as RowId and ImageId: {error}") from error


def write_table(path: Path, frame: pd.DataFrame) -> None:
    """Write a CSV atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part:
        frame.to_csv(part, index=False)
