"""Where a network runs, and at which precision. PyTorch is imported when it is needed."""

import ctypes.util
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fkp.errors import DataError

if TYPE_CHECKING:
    import torch

GPU_FILES = ("/dev/nvidiactl", "/proc/driver/nvidia/version", "/dev/kfd", "/dev/dxg")
"""What a Linux kernel shows of GPUs by NVIDIA and AMD, and Windows' to a Linux inside it."""


def may_have_gpu() -> bool:
    """Whether PyTorch may find a GPU on this machine; False only if it cannot."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return False
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    if sys.platform == "win32":
        return ctypes.util.find_library("nvcuda") is not None
    return any(os.path.exists(file) for file in GPU_FILES)


def on_cpu(device: str) -> bool:
    """Whether the device of this name is the CPU; asks PyTorch only where there may be a GPU."""
    if device == "auto":
        return not may_have_gpu() or pick_device(device).type == "cpu"
    return device == "cpu"


@contextmanager
def single_thread() -> Iterator[None]:
    """Keep PyTorch's networks of this process to one thread meanwhile: others need the processors.

    Those that ONNX Runtime runs have one thread anyway.
    """
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def pick_device(name: str) -> "torch.device":
    """The device of this name; `auto` is CUDA or Apple's GPU if available, otherwise the CPU."""
    import torch

    if name == "auto":
        name = "cpu"
        if torch.cuda.is_available():
            name = "cuda"
        elif torch.backends.mps.is_available():
            name = "mps"
    missing = (name.startswith("cuda") and not torch.cuda.is_available()) or (
        name == "mps" and not torch.backends.mps.is_available()
    )
    if missing:
        raise DataError(f"device {name}: not available on this machine; use cpu or auto")
    try:
        return torch.device(name)
    except RuntimeError as error:
        raise DataError(f"device {name}: expected auto, cpu, cuda, cuda:1 or mps") from error


def describe_devices() -> list[str]:
    """A line for each device of this machine."""
    import torch

    precision = str(pick_precision("auto", torch.device("cpu"))).removeprefix("torch.")
    found = [f"cpu ({precision}, {torch.get_num_threads()} threads)"]
    found += [
        f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(torch.cuda.device_count())
    ]
    if torch.backends.mps.is_available():
        found.append("mps")
    return found


def pick_precision(name: str, device: "torch.device") -> "torch.dtype":
    """The precision for this device: bf16 if it has instructions for it, otherwise float32, or
    float16 on a GPU.
    """
    import torch

    if name != "auto":
        return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[name]
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(False) else torch.float16
    fast = device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()
    return torch.bfloat16 if fast else torch.float32
