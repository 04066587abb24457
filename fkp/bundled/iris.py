"""Making the iris network: a picture of one eye in, the centre and radius of its iris out.

    PYTHON fkp/bundled/iris_teacher.py build/weights/faces.csv build/weights/iris.csv
    python -m fkp.bundled.iris build/weights/faces.csv build/weights/iris.csv fkp/weights/iris.onnx

The first command labels eyes, see `fkp.bundled.iris_teacher`; `faces.csv` is of
`fkp.bundled.make`, whose split by person is kept. The validation people choose nothing but the
factor that makes the 90 % radius right; it is printed with their errors.
"""

import argparse
import copy
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from fkp.bundled.iris_eyes import Eyes, patch_transform, read_eyes, varied
from fkp.files import replacing
from fkp.keypoints import RADIUS_90
from fkp.vision.iris import PATCH, SPAN

STEPS, BATCH, RATE = 1500, 64, 4e-3
AVERAGE = 0.995
"""Decay of the averaged weights."""

NAMES = ("iris", "radius_90", "visible")


class IrisNet(nn.Module):
    """From patches (N, 1, PATCH, PATCH), 0 to 255, to (N, 5): the centre's place beside the middle
    in eye widths (2), the log of the radius in eye widths, the log of the scale of the centre's
    error, and the logit of whether the iris is seen.
    """

    def __init__(self) -> None:
        super().__init__()
        widths = ((1, 12, 2), (12, 24, 1), (24, 24, 2), (24, 24, 1))
        self.body = nn.Sequential(
            *(
                nn.Sequential(
                    nn.Conv2d(before, after, 3, stride, 1, bias=False),
                    nn.BatchNorm2d(after),
                    nn.ReLU(),
                )
                for before, after, stride in widths
            ),
            nn.Conv2d(24, 8, 1),
            nn.ReLU(),
            nn.Flatten(),
        )
        self.head = nn.Sequential(nn.Linear(8 * (PATCH // 4) ** 2, 48), nn.ReLU(), nn.Linear(48, 5))

    def forward(self, patches: Tensor) -> Tensor:
        own = patches - patches.mean((2, 3), keepdim=True)
        own = own / (own.square().mean((2, 3), keepdim=True).sqrt() + 4.0)
        values: Tensor = self.head(self.body(own))
        return values + values.new_tensor([0, 0, np.log(0.2), np.log(0.03), 0])


class _Exported(nn.Module):
    """What `fkp.vision.iris` reads, in patch pixels. wide: factor of the 90 % radius."""

    def __init__(self, network: IrisNet, wide: float) -> None:
        super().__init__()
        self.network, self.wide = network, wide * RADIUS_90

    def forward(self, patches: Tensor) -> tuple[Tensor, ...]:
        values = self.network(patches.float())
        place = values[:, :2] * SPAN + (PATCH - 1) / 2
        radius = values[:, 2:3].exp() * SPAN
        scale = values[:, 3].exp() * SPAN * self.wide
        return torch.cat([place, radius], 1), scale, values[:, 4].sigmoid()


def batch_of(eyes: Eyes, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Varied patches (BATCH, 1, PATCH, PATCH), irises (BATCH, 3), and whether they are seen."""
    rows = rng.integers(0, len(eyes.seen), BATCH)
    patches, irises, seen = zip(*(varied(eyes, int(row), rng) for row in rows), strict=True)
    return (
        torch.from_numpy(np.stack(patches))[:, None].float(),
        torch.from_numpy(np.stack(irises)).float(),
        torch.tensor(seen, dtype=torch.float32),
    )


def loss_of(values: Tensor, irises: Tensor, seen: Tensor) -> Tensor:
    """Of the network's values (N, 5): centre, radius, scale, and whether the iris is seen.

    The scale is learnt as the likelihood of a Gamma distribution of shape 2, and does not move the
    centre.
    """
    labelled = torch.isfinite(irises).all(1) & (seen != 0)
    own, wanted = values[labelled], irises[labelled]
    away = own[:, :2] - (wanted[:, :2] - (PATCH - 1) / 2) / SPAN
    centre = functional.smooth_l1_loss(away, torch.zeros_like(away), beta=0.02)
    size = functional.smooth_l1_loss(own[:, 2], (wanted[:, 2] / SPAN).log(), beta=0.1)
    distance = away.detach().norm(dim=1)
    scale = (distance / own[:, 3].exp() + 2 * own[:, 3]).mean()
    told = torch.isfinite(seen)
    visible = functional.binary_cross_entropy_with_logits(values[told, 4], seen[told])
    total: Tensor = 10 * centre + 0.5 * size + 0.02 * scale + 0.1 * visible
    return total


def train(eyes: Eyes, seed: int = 0) -> IrisNet:
    """Train on eyes."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = IrisNet()
    average = copy.deepcopy(network).eval()
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=STEPS)
    for step in range(1, STEPS + 1):
        patches, irises, seen = batch_of(eyes, rng)
        loss = loss_of(network(patches), irises, seen)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        _follow(average, network, min(AVERAGE, step / (step + 10)))
        if step % 250 == 0:
            print(f"step {step}: loss {loss.item():.4f}", flush=True)
    return average


@torch.no_grad()
def _follow(average: IrisNet, network: IrisNet, decay: float) -> None:
    """Move the averaged weights and statistics towards the network's."""
    for own, new in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if own.is_floating_point():
            own.lerp_(new, 1 - decay)
        else:
            own.copy_(new)


@torch.no_grad()
def tested(network: IrisNet, eyes: Eyes) -> tuple[Tensor, Tensor, Tensor]:
    """Of eyes whose iris is seen, cut beside their places: distances of the centre (N,) in eye
    widths, logs of the ratio of the radii, and the network's scale.
    """
    rng = np.random.default_rng(0)
    rows = np.flatnonzero(eyes.seen == 1)
    transforms = [patch_transform(rng) for _ in rows]
    pairs = list(zip(rows, transforms, strict=True))
    patches = np.stack([transform.cut(eyes.bases[row]) for row, transform in pairs])
    irises = np.stack(
        [[*t.apply(eyes.irises[row, :2]), eyes.irises[row, 2] * t.scale] for row, t in pairs]
    )
    values = network(torch.from_numpy(patches)[:, None].float())
    wanted = torch.from_numpy(irises).float()
    away = values[:, :2] - (wanted[:, :2] - (PATCH - 1) / 2) / SPAN
    return away.norm(dim=1), values[:, 2] - (wanted[:, 2] / SPAN).log(), values[:, 3].exp()


def export(network: IrisNet, wide: float, path: Path) -> None:
    """Write the network for `fkp.vision.iris`."""
    with replacing(path) as part, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter is deprecated in favour of a slower one
        torch.onnx.export(
            _Exported(network, wide).eval(),
            (torch.zeros(1, 1, PATCH, PATCH, dtype=torch.uint8),),
            str(part),
            input_names=["patches"],
            output_names=list(NAMES),
            dynamic_axes={name: {0: "eyes"} for name in ("patches", *NAMES)},
            opset_version=17,
            dynamo=False,
        )


def main() -> None:
    """Train the network and write it."""
    parser = argparse.ArgumentParser(prog="python -m fkp.bundled.iris", description=__doc__)
    parser.add_argument("faces", type=Path, help="the data set of fkp.bundled.make")
    parser.add_argument("labels", type=Path, help="the table of fkp.bundled.iris_teacher")
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    eyes = read_eyes(given.faces, given.labels)
    print(f"{(~eyes.val).sum()} eyes for training, {eyes.val.sum()} for validation", flush=True)
    network = train(eyes.take(~eyes.val))
    away, size, scale = tested(network, eyes.take(eyes.val))
    wide = float((away / (scale * RADIUS_90)).quantile(0.9))
    export(network, wide, given.out)
    print(
        f"validation: centre {100 * float(away.median()):.2f} % of the eye's width (median), "
        f"radius {100 * float(size.abs().median()):.1f} %, 90 % radius times {wide:.2f}; "
        f"{sum(p.numel() for p in network.parameters())} parameters; wrote {given.out}"
    )


if __name__ == "__main__":
    main()
