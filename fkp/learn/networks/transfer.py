"""Starting from a network that was trained before, on points that may be others."""

from collections.abc import Iterator

from torch import Tensor, nn

from fkp.errors import DataError
from fkp.keypoints import Scheme
from fkp.learn.networks.architectures import Integral, Lecture
from fkp.learn.networks.checkpoint import Model


def initialise(network: nn.Module, scheme: Scheme, start: Model) -> int:
    """Take over the weights of a trained model into a new network for a scheme.

    Points that the trained one finds, or that are averages of points it finds, begin as such; the
    others at random. Returns how many points were taken over. Raises DataError where the two
    networks differ in more than their points.
    """
    own, theirs = network.state_dict(), start.network.state_dict()
    heads = set(_heads(network))
    differing = [
        name for name, value in own.items()
        if name not in heads and (name not in theirs or theirs[name].shape != value.shape)
    ]  # fmt: skip
    if differing:
        raise DataError(
            f"--init: the network {start.architecture} of {start.size} px does not fit: "
            f"{differing[0]} differs; train the same --arch"
            + (f" on crops of {start.size} px" if isinstance(network, Lecture) else "")
        )
    taken = [(i, _group(start.scheme, scheme, i)) for i in range(len(scheme))]
    known = [(i, group) for i, group in taken if group]
    weights: dict[str, Tensor] = {}
    for name, value in own.items():
        weights[name] = value.clone() if name in heads else theirs[name].float()
        if name not in heads or name not in theirs:
            continue
        rows = _by_point(weights[name], network)
        source = _by_point(theirs[name].float(), network)
        for i, group in known:
            rows[i] = source[list(group)].mean(0)
    network.load_state_dict(weights)
    return len(known)


def freeze(network: nn.Module) -> None:
    """Let only the last layers learn: those behind the features."""
    for module in _features(network):
        module.requires_grad_(False)


def keep_frozen_still(network: nn.Module) -> None:
    """In training, the statistics of frozen batch norms stay as they are."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d) and not module.weight.requires_grad:
            module.eval()


def _features(network: nn.Module) -> Iterator[nn.Module]:
    if isinstance(network, Integral):
        yield from (network.stem, network.stage1, network.stage2, network.stage3, network.face)
    elif isinstance(network, Lecture):
        yield network.features


def _heads(network: nn.Module) -> list[str]:
    """The weights that have a row, or two, for each point."""
    if isinstance(network, Lecture):
        return ["head.weight", "head.bias"]
    weights = ("doubt.weight", "doubt_near.weight", "visible.weight", "visible_near.weight")
    return ["maps.weight", "maps.bias", *weights, "doubt.bias", "visible.bias"]


def _by_point(weights: Tensor, network: nn.Module) -> Tensor:
    """A view with one row a point: the lecture's head has x and y of each point in turn."""
    return weights.view(-1, 2, *weights.shape[1:]) if isinstance(network, Lecture) else weights


def _group(theirs: Scheme, own: Scheme, point: int) -> tuple[int, ...]:
    """Which points of a scheme make this one of another, () where none do."""
    alone = Scheme("one", (own.names[point],))
    try:
        return theirs.groups(alone)[0]
    except DataError:
        return ()
