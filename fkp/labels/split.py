"""Persons in pictures, and splits that keep each person in one part."""

import hashlib
import os
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import PurePath

from fkp.errors import DataError, Setting

_LFW_NAME = re.compile(r"(.*[A-Za-z].*?)_\d+$")


def persons_from_names(images: Sequence[str], pattern: str | None) -> tuple[list[str] | None, str]:
    """The person in each picture according to its file name, and how that is known.

    `pattern` is searched in the path; its first group (or the whole match) is the person. Without
    a pattern, names like `Ann_Smith_0001.jpg` are recognised if there are enough of them. Returns
    None if the names do not tell.
    """
    if pattern is not None:
        try:
            regex = re.compile(pattern)
        except re.error as error:
            raise DataError(
                f"the person pattern {pattern} is not a regular expression: {error}"
            ) from error
        matches = [regex.search(image) for image in images]
        persons = [m.group(1 if regex.groups else 0) if m else "" for m in matches]
        if not any(persons):
            raise DataError(f"the person pattern {pattern} matches no name, such as {images[0]}")
        named = [p or image for p, image in zip(persons, images, strict=True)]
        missed = persons.count("")
        return named, f"by the person pattern ({missed} names without a match count as persons)"
    stems = [PurePath(image.replace("\\", "/")).stem for image in images]
    found = [_LFW_NAME.match(stem) for stem in stems]
    persons = [m.group(1) if m else stem for m, stem in zip(found, stems, strict=True)]
    distinct = len(set(persons))
    # `IMG_0001.jpg, IMG_0002.jpg` would make everyone the same person; real names do not.
    if sum(m is not None for m in found) >= 0.4 * len(stems) and distinct >= max(
        20, 0.01 * len(stems)
    ):
        return persons, "by file names like Ann_Smith_0001"
    return None, ""


def merge_persons(persons: Sequence[str], same: Sequence[str]) -> list[str]:
    """Merge persons who share a value of `same` (identical pictures); returns a name per row."""
    from scipy.cluster.hierarchy import DisjointSet  # heavy

    sets = DisjointSet(persons)
    first: dict[str, str] = {}
    for person, key in zip(persons, same, strict=True):
        sets.merge(person, first.setdefault(key, person))
    names = {person: min(joined) for joined in sets.subsets() for person in joined}
    return [names[person] for person in persons]


def split_persons(persons: Sequence[str], val: float, test: float, seed: int) -> list[str]:
    """`train`, `val` or `test` for each row; all rows of a person get the same.

    The order of persons depends only on the seed and their names, so adding rows moves few of
    the others.
    """
    if not 0 <= val < 1 or not 0 <= test < 1 or val + test >= 1:
        raise DataError(
            f"shares of {val:g} for validation and {test:g} for testing leave no rows to train on"
        )
    sizes: dict[str, int] = defaultdict(int)
    for person in persons:
        sizes[person] += 1
    wanted = {name: share for name, share in (("test", test), ("val", val)) if share > 0}
    if len(sizes) <= len(wanted):
        raise DataError(
            f"{len(sizes)} person(s) cannot be split into {', '.join(['train', *wanted])}",
            Setting("val", "0", "no validation"),
            Setting("test", "0", "no test"),
            Setting("person_pattern", "REGEX", "how to tell persons apart"),
        )
    order = sorted(sizes, key=lambda p: hashlib.sha256(os.fsencode(f"{seed}:{p}")).digest())
    place = dict.fromkeys(sizes, "train")
    for name, share in wanted.items():
        target, taken = share * len(persons), 0
        for person in order:
            # A person who would overshoot by more than it fills stays in training.
            if place[person] == "train" and taken + sizes[person] / 2 <= target:
                place[person] = name
                taken += sizes[person]
        if taken == 0:
            smallest = min((p for p in order if place[p] == "train"), key=lambda p: sizes[p])
            place[smallest] = name
    return [place[person] for person in persons]
