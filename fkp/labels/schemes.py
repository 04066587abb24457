"""Combining the schemes of several sources, and parts of schemes."""

from collections.abc import Sequence

from fkp.keypoints import ANCHOR_NAMES, Scheme


def joined(schemes: Sequence[Scheme]) -> Scheme:
    """The union of several schemes by point names.

    Edges and anchors are combined; there is a flip order only if every scheme has one.
    """
    names = tuple(dict.fromkeys(name for scheme in schemes for name in scheme.names))
    if len(names) == len(schemes[0]):
        return schemes[0]
    order = list(range(len(names)))
    edges: dict[tuple[int, int], None] = {}
    for scheme in schemes:
        at = [names.index(name) for name in scheme.names]
        edges |= dict.fromkeys((at[a], at[b]) for a, b in scheme.edges)
        for i, j in enumerate(scheme.flip_order or ()):
            order[at[i]] = at[j]
    known = all(scheme.flip_order is not None for scheme in schemes)
    anchors: list[tuple[int, ...]] = []
    for i in range(len(ANCHOR_NAMES)):
        knows = next((scheme for scheme in schemes if scheme.anchors[i]), schemes[0])
        anchors.append(tuple(names.index(knows.names[k]) for k in knows.anchors[i]))
    return Scheme("joined", names, tuple(order) if known else None, tuple(edges), tuple(anchors))


def covering(schemes: Sequence[Scheme]) -> Scheme:
    """The fewest points of several schemes from which all their points can be computed.

    This is one of the schemes if it can be converted to all the others.
    """
    for scheme in schemes:
        if all(scheme.can_convert(other) for other in schemes):
            return scheme
    ordered = sorted(schemes, key=len, reverse=True)
    kept = [ordered[0]]
    for scheme in ordered[1:]:
        if not any(other.can_convert(scheme) for other in kept):
            kept.append(scheme)
    return joined(kept)


def part_of(scheme: Scheme, points: Sequence[int]) -> Scheme:
    """A scheme of some points of another; without a flip order if a point's partner is left out."""
    at = {old: new for new, old in enumerate(points)}
    flip = scheme.flip_order
    whole = flip is not None and all(flip[i] in at for i in points)
    outer = scheme.outer_eyes
    return Scheme(
        "custom",
        tuple(scheme.names[i] for i in points),
        tuple(at[flip[i]] for i in points) if whole and flip is not None else None,
        tuple((at[a], at[b]) for a, b in scheme.edges if a in at and b in at),
        tuple(
            tuple(at[i] for i in group) if all(i in at for i in group) else ()
            for group in scheme.anchors
        ),
        (at[outer[0]], at[outer[1]]) if outer and set(outer) <= set(at) else None,
    )


def subset(scheme: Scheme, names: Sequence[str]) -> Scheme:
    """The points of a scheme that have these names, in its order; the scheme itself for all."""
    kept = [i for i, name in enumerate(scheme.names) if name in names]
    return scheme if len(kept) == len(scheme) else part_of(scheme, kept)
