"""Literal types of arguments with fixed choices."""

from typing import Literal

Also = Literal["openface", "pyfeat", "dlc", "coco", "yolo", "kaggle"]
TableFormat = Literal["csv", "jsonl", "parquet"]
Blur = Literal["eyes", "face"]
Deinterlace = Literal["auto", "on", "off"]
FacesOf = Literal["largest", "first", "each"]
Period = Literal["day", "week"]
Sort = Literal["inputs", "date"]
Order = Literal["surest", "left", "largest"]
Backend = Literal["local", "dask"]

Architecture = Literal["integral", "large", "lecture"]
Optimizer = Literal["adamw", "sgd"]
Schedule = Literal["onecycle", "constant"]
Loss = Literal["mse", "l1", "smooth_l1", "wing"]
Augment = Literal["none", "light", "full"]
Precision = Literal["auto", "fp32", "bf16", "fp16"]

Split = Literal["train", "val", "test", "all"]
Norm = Literal["outer", "pupil", "box"]
ExportFormat = Literal["onnx", "torchscript", "openvino"]

Crop = Literal["face", "none"]
Units = Literal["auto", "pixels", "fraction", "percent", "signed"]
Sides = Literal["subject", "viewer"]
LabelFormat = Literal["coco", "dlc", "pts", "kaggle"]
"""Formats that `fkp.convert` writes; for those that `fkp.prepare` reads, see
`fkp.labels.formats.known.FORMATS`."""
