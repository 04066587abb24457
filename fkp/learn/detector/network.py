"""The face detector's network, in the output layout of `cv2.FaceDetectorYN`."""

import copy
import warnings
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

import fkp
from fkp.errors import ModelError
from fkp.files import replacing
from fkp.vision.yunet import OUTPUTS, STRIDES

TRAINABLE = Path(fkp.__file__).parent / "weights" / "faces.safetensors"
"""The weights of the bundled detector, for fine-tuning."""

CHANNELS = (1, 1, 4, 10)  # of cls, obj, bbox, kps
RANGE = 128  # gray levels per unit


def _convolution(
    inputs: int, outputs: int, kernel: int, stride: int, groups: int
) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    return (
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    )


def _block(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Module:
    """A depthwise convolution, then a pointwise one (Howard et al., arXiv 1704.04861).

    No ReLU between them: it would cost time in `cv2.dnn`, and accuracy in such a narrow network.
    """
    return nn.Sequential(
        *_convolution(inputs, inputs, kernel, stride, inputs),
        *_convolution(inputs, outputs, 1, 1, 1),
        nn.ReLU(inplace=True),
    )


class FaceNet(nn.Module):
    """BGR pictures (B, 3, H, W) in 0..255, sides multiples of 32, to three maps (B, 16, H/s, W/s).

    The channels are those of CHANNELS in order; cls and obj are logits. Widths were chosen for
    speed in `cv2.dnn`: it leaves half resolution at once and has only 16 channels at a quarter,
    where YuNet (Wu et al., MIR 20, 2023) spends most of its time.
    """

    def __init__(
        self,
        widths: tuple[int, ...] = (8, 16, 32, 64, 96),
        depths: tuple[int, ...] = (2, 3, 4, 3),
        neck: int = 32,
    ) -> None:
        super().__init__()
        half, *rest = widths
        self.stem = nn.Sequential(*_convolution(3, half, 3, 2, 1), nn.ReLU(inplace=True))
        stages = []
        for inputs, outputs, depth in zip(widths, rest, depths, strict=False):
            # Wide kernels where they are cheap, to cover the largest faces.
            kernel = 5 if outputs == rest[-1] else 3
            blocks = [_block(outputs, outputs, kernel) for _ in range(depth)]
            stages.append(nn.Sequential(_block(inputs, outputs, 3, 2), *blocks))
        self.stages = nn.ModuleList(stages)
        self.lateral = nn.ModuleList(nn.Conv2d(w, neck, 1) for w in rest[1:])
        self.smooth = nn.ModuleList(_block(neck, neck) for _ in STRIDES)
        heads = [nn.Conv2d(neck, sum(CHANNELS), 1) for _ in STRIDES]
        self.heads = nn.ModuleList(heads)
        for head, bias in ((h, h.bias) for h in heads if h.bias is not None):
            nn.init.normal_(head.weight, std=0.01)
            nn.init.zeros_(bias)
            nn.init.constant_(bias[:2], -4.0)  # faces are rare
            nn.init.constant_(bias[2:4], 0.5)  # the middle of the cell
            nn.init.constant_(bias[4:6], 1.0)

    def forward(self, pictures: Tensor) -> list[Tensor]:
        return self.maps(pictures / RANGE)

    def maps(self, scaled: Tensor) -> list[Tensor]:
        """The maps of pictures that have already been divided by RANGE."""
        features = [self.stages[0](self.stem(scaled))]
        for stage in self.stages[1:]:
            features.append(stage(features[-1]))
        top = self.lateral[2](features[3])
        levels = [top]
        for at in (1, 0):
            # The order matters: cv2.dnn does not know the sides when it reads the file, and takes
            # those of the first term.
            top = self.lateral[at](features[at + 1]) + functional.interpolate(top, scale_factor=2.0)
            levels.insert(0, top)
        return [
            head(smooth(level))
            for head, smooth, level in zip(self.heads, self.smooth, levels, strict=True)
        ]


class _Exported(nn.Module):
    """The twelve outputs that FaceDetectorYN reads, each (1, H/s * W/s, channels)."""

    def __init__(self, network: FaceNet) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).cpu().eval()
        with torch.no_grad():
            next(self.network.stem.parameters()).div_(RANGE)  # instead of dividing each picture

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        maps = self.network.maps(pictures)
        rows = [m.permute(0, 2, 3, 1).reshape(1, -1, sum(CHANNELS)) for m in maps]
        starts = (0, 1, 2, 6)
        return tuple(
            row[..., start : start + count].sigmoid()
            if count == 1
            else row[..., start : start + count]
            for start, count in zip(starts, CHANNELS, strict=True)
            for row in rows
        )


def export_onnx(network: FaceNet, path: Path) -> None:
    """Write the network for `cv2.FaceDetectorYN`: any sides that are multiples of 32."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter is deprecated in favour of a slower one
        torch.onnx.export(
            _Exported(network),
            (torch.zeros(1, 3, 320, 320),),
            str(path),
            input_names=["input"],
            output_names=OUTPUTS,
            dynamic_axes={"input": {2: "height", 3: "width"}},
            opset_version=13,
            dynamo=False,
        )


def save_detector(network: FaceNet, path: Path) -> None:
    """Write the weights for `load_detector`."""
    tensors = {k: v.contiguous() for k, v in network.state_dict().items() if v.is_floating_point()}
    with replacing(path) as part:
        save_file(tensors, str(part))


def load_detector(path: Path = TRAINABLE) -> FaceNet:
    """Load a detector for fine-tuning; raises ModelError for any other file."""
    network = FaceNet()
    try:
        network.load_state_dict(load_file(path), strict=False)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise ModelError(f"{path}: not the weights of a detector of this fkp: {error}") from error
    return network
