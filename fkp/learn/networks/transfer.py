"""Starting from a trained network, even one with other points."""

from torch import Tensor, nn

from fkp.errors import DataError
from fkp.keypoints import Scheme
from fkp.learn.networks.base import Architecture
from fkp.learn.networks.checkpoint import Model


def initialise(network: Architecture, scheme: Scheme, start: Model) -> int:
    """Copy the weights of a trained model into a new network for a scheme.

    Points that the trained model finds start with its weights, averages of its points with the mean
    of their weights, the others at random. Returns the number of points that did not start at
    random. Raises DataError if the networks differ in more than their points.
    """
    own, theirs = network.state_dict(), start.network.state_dict()
    heads = network.point_heads()
    differing = [
        name for name, value in own.items()
        if name not in heads and (name not in theirs or theirs[name].shape != value.shape)
    ]  # fmt: skip
    if differing or heads.keys() != start.network.point_heads().keys():
        where = differing[0] if differing else "a head"
        raise DataError(
            f"init: the network {start.architecture} of {start.size} px does not fit: {where} "
            "differs; train the same architecture"
            + ("" if network.any_size else f" on crops of {start.size} px")
        )
    taken = [(i, _sources(start.scheme, scheme, i)) for i in range(len(scheme))]
    known = [(i, points) for i, points in taken if points]
    weights: dict[str, Tensor] = {}
    for name, value in own.items():
        if name not in heads:
            weights[name] = theirs[name].float()
            continue
        weights[name] = value.clone()
        rows, source = (_by_point(w, heads[name]) for w in (weights[name], theirs[name].float()))
        for i, points in known:
            rows[i] = source[list(points)].mean(0)
    network.load_state_dict(weights)
    return len(known)


def _by_point(weights: Tensor, rows: int) -> Tensor:
    """A view (K, rows, ...) of weights (K * rows, ...)."""
    return weights.view(-1, rows, *weights.shape[1:])


def freeze(network: Architecture) -> None:
    """Train only the layers after the encoder, without the face head."""
    for module in (*network.encoder(), network.face_head):
        if module is not None:
            module.requires_grad_(False)


def keep_frozen_still(network: nn.Module) -> None:
    """Keep the statistics of frozen batch norms fixed while the network is in training mode."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d) and not module.weight.requires_grad:
            module.eval()


def _sources(theirs: Scheme, own: Scheme, point: int) -> tuple[int, ...]:
    """The points of a scheme whose mean is this point of another; () if there are none."""
    alone = Scheme("one", (own.names[point],))
    try:
        return theirs.point_indices(alone)[0]
    except DataError:
        return ()
