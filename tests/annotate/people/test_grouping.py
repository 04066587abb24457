"""Which subjects become one person."""

import numpy as np

from fkp.annotate.people.grouping import grouped
from fkp.annotate.people.subjects import Subject
from fkp.vision.appearance import CELLS, Appearance, likeness, mean_appearance
from fkp.vision.likeness import LENGTH, STRANGERS, unit


def looks(persons: list[int], seed: int = 0) -> list[Appearance]:
    """Appearances in which those of one person differ little, and those of two as strangers do."""
    rng = np.random.default_rng(seed)
    common = unit(np.abs(rng.normal(size=LENGTH)))
    own, coats = rng.normal(size=(9, LENGTH)), rng.uniform(0, 255, (9, CELLS**2, 3))
    found = []
    for person in persons:
        face = np.sqrt(STRANGERS) * common + np.sqrt(1 - STRANGERS) * unit(own[person])
        noisy = unit(face + rng.normal(0, 0.1 / np.sqrt(LENGTH), LENGTH))
        coat = (coats[person] + rng.normal(0, 3, (CELLS**2, 3))).astype(np.float32)
        found.append(Appearance(noisy, coat, b""))
    return found


def test_likeness_is_that_of_faces_and_colours() -> None:
    one, again, other = looks([0, 0, 1])
    alike = likeness([one], [one, again, other])[0]
    assert alike[0] > 1.95
    assert alike[1] > 1.2
    assert alike[2] < 0
    bare = Appearance(one.face, np.full((CELLS**2, 3), np.nan, np.float32), b"")
    assert 0.95 < likeness([bare], [one])[0, 0] < 1.05


def test_groups_are_the_persons_the_largest_first() -> None:
    persons = [3, 1, 3, 2, 3, 1]
    subjects = [Subject(0, f"{i}.jpg", 0) for i in range(6)]
    groups, fits = grouped(subjects, looks(persons))
    assert groups.tolist() == [0, 1, 0, 2, 0, 1]
    assert (fits > 0.3).all()


def test_two_faces_of_one_picture_are_two_persons() -> None:
    """However alike they are, as twins, or a face in a mirror."""
    subjects = [Subject(0, "a.jpg", 0), Subject(0, "a.jpg", 1), Subject(0, "b.jpg", 0)]
    groups, _ = grouped(subjects, looks([0, 0, 0]))
    assert groups[0] != groups[1]


def test_faces_of_a_clip_may_be_one_person_only_at_different_times() -> None:
    early, late, both = {0, 1, 2}, {5, 6}, {2, 5}
    subjects = [Subject(0, "a.mp4", i, frames=f) for i, f in enumerate((early, late, both))]
    groups, _ = grouped(subjects, looks([0, 0, 0]))
    assert groups[0] == groups[1] != groups[2]


def test_the_mean_of_several_views_leaves_out_what_is_not_seen() -> None:
    one, again = looks([0, 0])
    half = one.colours.copy()
    half[12:] = np.nan
    mean = mean_appearance([Appearance(one.face, half, b"x"), again])
    assert np.isfinite(mean.colours).all()
    assert np.allclose(mean.colours[12:], again.colours[12:])
    assert np.linalg.norm(mean.face) > 0.999
