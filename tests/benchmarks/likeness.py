"""How well looks tell people apart: thresholds of tracks, of `fkp hide --keep` and `fkp people`.

    python -m tests.benchmarks.likeness DATA [--test TABLE] [--news 1500]

DATA holds `ytf68/`, frames of clips (the last digit of a name is the frame, what is before it the
clip; one clip per person is taken), and `faces68/`, photographs of people in the news, each on
several occasions. Faces are found by the bundled networks. The looks have nothing
that was learnt, but the points by which faces are aligned were learnt on these sets: `--test`, the
data set that `make weights` leaves (`faces.csv`), takes only the people who were not in training.

Prints how likely pairs of frames, and of photographs, are alike, of one person and of two; and for
thresholds of `fkp people`, which pairs end up in one group: of those of one person, how many
(found), and of those grouped, how many are of one person (true), with three frames each of up to 60
people at a time.
"""

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

import fkp
from fkp.annotate.hide.clear import CLEARLY, PERHAPS, ClearFaces
from fkp.annotate.people.grouping import LIKENESS, grouped
from fkp.annotate.people.subjects import Subject
from fkp.api import Network
from fkp.vision.appearance import Appearance, appearance
from fkp.vision.images import Image, to_gray
from fkp.vision.likeness import Look, alike, look_of
from fkp.vision.tracking import KNOWN, STRANGER

Pairs = npt.NDArray[np.float64]

AT_A_TIME, EACH, DRAWS = 60, 3, 8
"""People of one occasion, pictures of each, and how many occasions are drawn."""

THRESHOLDS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)

Seen = Mapping[str, Sequence[tuple[Look, Appearance]]]
"""By person."""


def seen_in(image: Image, network: Network, keep: ClearFaces) -> tuple[Look, Appearance] | None:
    """Of the largest face of a picture that is wholly in it."""
    faces = network.annotate(image)
    if not len(faces):
        return None
    points = faces.points[int(np.argmax(faces.boxes[:, 2]))]
    crop = keep.transform(points, (image.shape[1], image.shape[0]))
    if crop is None:
        return None
    shown = appearance(image, network.scheme.anchor_points(points))
    return look_of(crop.cut(to_gray(image))), shown


def people_of(
    folder: Path, pictures: str, network: Network, only: set[str] | None, each: int, most: int
) -> Seen:  # fmt: skip
    """The people of a set, with up to `each` pictures, spread over all that there are of them.

    Of clips, only the first of a person that has most frames is taken.
    """
    table = pd.read_csv(folder / "labels_ibug.csv", usecols=["image", "person"])
    keep = ClearFaces(
        (), frozenset(), network.scheme, network.keypoints.layout, network.keypoints.size
    )
    found: dict[str, list[tuple[Look, Appearance]]] = {}
    count = 0
    for person, rows in table.groupby("person"):
        names = sorted(rows["image"])
        if pictures == "training":
            clips = Counter(Path(name).stem[:-1] for name in names)
            (clip, _), *_ = clips.most_common(1)
            names = [name for name in names if Path(name).stem[:-1] == clip]
        if len(names) < 2 or (only is not None and person not in only) or count >= most:
            continue
        chosen = np.linspace(0, len(names) - 1, min(each, len(names))).round().astype(int)
        for name in (names[i] for i in chosen):
            image = cv2.imread(str(folder / pictures / name))
            assert image is not None, name
            count += 1
            own = seen_in(np.asarray(image, np.uint8), network, keep)
            if own is not None:
                found.setdefault(str(person), []).append(own)
    return found


def pairs(seen: Seen) -> tuple[Pairs, Pairs]:
    """The likeness of all pairs of one person's pictures, and of two persons'."""
    looks = [look for own in seen.values() for look, _ in own]
    who = np.repeat(np.arange(len(seen)), [len(own) for own in seen.values()])
    values = np.array([[alike(one, other) for other in looks] for one in looks])
    above = np.triu(np.ones_like(values, dtype=bool), 1)
    same = who[:, None] == who
    return values[same & above], values[~same & above]


def show(what: str, one: Pairs, two: Pairs, named: Mapping[str, float]) -> None:
    """Print the shares of pairs on either side of the thresholds."""
    print(f"{what}: {len(one)} pairs of one person, {len(two)} of two")
    for name, value in named.items():
        print(
            f"  {name} {value}: reached by {(one >= value).mean():.1%} of one person, "
            f"{(two >= value).mean():.3%} of two"
        )
    for share in (0.95, 0.97, 0.999, 0.9999):
        value = float(np.quantile(two, share))
        print(
            f"  {share:.2%} of two persons are below {value:.2f}: {(one < value).mean():.1%} of one"
        )


def groups(seen: Seen) -> None:
    """Print how pictures of one occasion are grouped, by the threshold."""
    full = [own for own in seen.values() if len(own) >= EACH]
    rng = np.random.default_rng(0)
    together = min(AT_A_TIME, len(full))
    draws = [rng.permutation(len(full))[:together] for _ in range(DRAWS)]
    print(f"groups: {together} of {len(full)} people at a time, {EACH} pictures each")
    for least in THRESHOLDS:
        counts = np.zeros(3)
        sizes = []
        for people in draws:
            pictures = [shown for i in people for _, shown in full[i][:: len(full[i]) // EACH]]
            who = np.repeat(people, [len(full[i][:: len(full[i]) // EACH]) for i in people])
            subjects = [Subject(0, f"{i}.jpg", 0) for i in range(len(pictures))]
            group, _ = grouped(subjects, pictures, least)
            above = np.triu(np.ones((len(who), len(who)), bool), 1)
            same, joined = who[:, None] == who, group[:, None] == group
            counts += [(x & above).sum() for x in (same & joined, same, joined)]
            sizes.append(len(set(group.tolist())))
        default = " (default)" if least == LIKENESS else ""
        print(
            f"  {least}{default}: found {counts[0] / counts[1]:.1%}, "
            f"true {counts[0] / counts[2]:.1%}, {np.mean(sizes):.0f} groups of {together} people"
        )


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--test", type=Path)
    parser.add_argument("--news", type=int, default=1500)
    parser.add_argument("--model", default="bundled")
    given = parser.parse_args()
    network = fkp.load(given.model)
    only = None
    if given.test is not None:
        table = pd.read_csv(given.test, usecols=["person", "split"])
        only = set(table.loc[table["split"] == "test", "person"])
    frames = people_of(given.data / "ytf68", "training", network, only, 4, 10**6)
    print(f"ytf68: {len(frames)} people")
    show("frames of one clip", *pairs(frames), {"STRANGER": STRANGER, "KNOWN": KNOWN})
    groups(frames)
    if given.news:
        news = people_of(given.data / "faces68", "images", network, only, 3, given.news)
        named = {"CLEARLY": CLEARLY, "PERHAPS": PERHAPS}
        show(f"faces68, {len(news)} people, several occasions", *pairs(news), named)


if __name__ == "__main__":
    main()
