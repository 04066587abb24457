"""Devices and precision of networks."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from fkp.errors import DataError


@contextmanager
def single_thread() -> Iterator[None]:
    """Limit this process's networks to one thread within the block, as other processes need the
    cores.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def pick_device(name: str) -> torch.device:
    """The device of this name; `auto` is CUDA or Apple's GPU if available, otherwise the CPU."""
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
    """A description of each device of this machine."""
    precision = str(pick_precision("auto", torch.device("cpu"))).removeprefix("torch.")
    found = [f"cpu ({precision}, {torch.get_num_threads()} threads)"]
    found += [
        f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(torch.cuda.device_count())
    ]
    if torch.backends.mps.is_available():
        found.append("mps")
    return found


def pick_precision(name: str, device: torch.device) -> torch.dtype:
    """The precision for this device: bf16 if it has instructions for it, otherwise float32, or
    float16 on a GPU.
    """
    if name != "auto":
        return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[name]
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(False) else torch.float16
    fast = device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()
    return torch.bfloat16 if fast else torch.float32
