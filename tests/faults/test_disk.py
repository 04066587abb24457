"""Runs that are killed, or whose disk fails, at any call that changes a file."""

import errno
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest

from tests.faults.harness import ALL, CASES, Case, Ended, Faults, chosen, needs_shim, serving, tree
from tests.helpers import SAMPLES, shorter, write_boxes, write_course

pytestmark = [needs_shim, pytest.mark.slow]

SAMPLE = {
    "annotate": 2,
    "video": 2,
    "convert": 1,
    "hide": 1,
    "align": 1,
    "people": 1,
    "symmetry": 1,
}
"""At how many calls these commands are killed, unless all are tried."""

TRIED = [case for case in CASES if ALL or case.name in SAMPLE]

PHOTOS = {"astronaut.jpg": (160, 120), "coffee.jpg": (160, 120), "speech.jpg": (200, 150)}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the commands read."""
    folder = tmp_path_factory.mktemp("faults")
    (folder / "photos").mkdir()
    for name, size in PHOTOS.items():
        image = cv2.imread(str(SAMPLES / name))
        assert image is not None
        assert cv2.imwrite(str(folder / "photos" / name), cv2.resize(image, size))
    (folder / "photos" / "bad.jpg").write_bytes(b"")
    (folder / "clip.mp4").symlink_to(SAMPLES / "clip.mp4")
    write_course(folder, 40, persons=10)
    write_others(folder)
    return folder


def write_others(folder: Path) -> None:
    """What the commands read that make use of results, or hide faces."""
    (folder / "few").mkdir()
    write_course(folder / "few", 6, persons=6)
    (folder / "boxed").mkdir()
    write_boxes(folder / "boxed")
    (folder / "mixed").mkdir()
    for name in ("speech.jpg", "bad.jpg"):
        (folder / "mixed" / name).symlink_to(folder / "photos" / name)
    shorter(SAMPLES / "clip.mp4", folder / "mixed" / "film.mp4", 5)
    image = cv2.imread(str(SAMPLES / "astronaut.jpg"))
    assert image is not None
    (folder / "clinic" / "Ann" / "before").mkdir(parents=True)
    for shift, name in enumerate(("rest", "smile")):
        part = cv2.resize(image[20:260, 100 + 9 * shift : 400 + 9 * shift], (200, 160))
        assert cv2.imwrite(str(folder / "clinic" / "Ann" / "before" / f"{name}.jpg"), part)


@pytest.fixture(scope="module")
def faults(place: Path) -> Iterator[Faults]:
    with serving(place) as running:
        yield running


@pytest.fixture(scope="module")
def undisturbed(place: Path, faults: Faults) -> dict[str, tuple[dict[str, bytes | None], int]]:
    """Of each command that was asked for: its results, and how many calls change files."""
    return {}


def whole(
    case: Case, place: Path, faults: Faults,
    undisturbed: dict[str, tuple[dict[str, bytes | None], int]],
) -> tuple[dict[str, bytes | None], int]:  # fmt: skip
    """The results of a command without a fault, and how many calls change files."""
    if case.name not in undisturbed:
        case.clear(place)
        case.prepare(faults, place)
        ended = faults.run(case.words, place, case.out(place))
        assert ended.code in (0, 3), ended.said
        undisturbed[case.name] = tree(case.out(place), case.free), ended.calls
        case.clear(place)
    return undisturbed[case.name]


def ends_whole(case: Case, place: Path, faults: Faults, expected: dict[str, bytes | None]) -> str:
    """Do what a user would to continue; an empty text where all is as if nothing had happened."""
    ended = case.go_on(faults, place)
    if ended.code not in (0, 3) or "Traceback" in ended.said:
        return f"exit code {ended.code}: {ended.said}"
    found = tree(case.out(place), case.free)
    names = sorted({*found, *expected})
    different = [name for name in names if found.get(name, 1) != expected.get(name, 1)]
    return f"differ: {different}" if different else ""


def killed(case: Case, place: Path, faults: Faults, at: int) -> Ended:
    """Run a command that is killed at a call, or at its last one: threads that take turns otherwise
    make a few calls more or less.
    """
    ended = Ended(0, "", at + 1, hit=False)
    while not ended.hit:
        case.clear(place)
        ended = faults.run(case.words, place, case.out(place), min(at, ended.calls - 1))
    return ended


@pytest.mark.parametrize("case", TRIED, ids=lambda case: case.name)
def test_killed_before_a_change_of_a_file(
    case: Case, place: Path, faults: Faults,
    undisturbed: dict[str, tuple[dict[str, bytes | None], int]],
) -> None:  # fmt: skip
    expected, calls = whole(case, place, faults, undisturbed)
    wrong = {}
    for at in chosen(calls, SAMPLE.get(case.name, 0), seed=1):
        ended = killed(case, place, faults, at)
        assert ended.code == -9, ended
        problem = ends_whole(case, place, faults, expected)
        if problem:
            wrong[at] = problem
    case.clear(place)
    assert not wrong


def told(ended: Ended, number: int) -> str:
    """An empty text where an error was told as it should be."""
    lines = [line for line in ended.said.splitlines() if line.startswith("fkp: ")]
    reason = {errno.ENOSPC: "no space left on device", errno.EIO: "input/output error"}[number]
    if ended.code == 1 and len(lines) == 1 and reason in lines[0] and "Traceback" not in ended.said:
        return ""
    return f"exit code {ended.code}: {ended.said}"


@pytest.mark.parametrize(
    "number", [errno.ENOSPC, errno.EIO] if ALL else [errno.ENOSPC], ids=errno.errorcode.get
)
@pytest.mark.parametrize("case", TRIED, ids=lambda case: case.name)
def test_an_error_at_a_change_of_a_file(
    case: Case, number: int, place: Path, faults: Faults,
    undisturbed: dict[str, tuple[dict[str, bytes | None], int]],
) -> None:  # fmt: skip
    """A full disk stays full; an input or output error comes once."""
    expected, calls = whole(case, place, faults, undisturbed)
    wrong = {}
    for at in chosen(calls, 1, seed=number):
        case.clear(place)
        lasting = number == errno.ENOSPC
        ended = faults.run(case.words, place, case.out(place), at, number, lasting)
        problem = told(ended, number) if ended.hit and ended.code not in (0, 3) else ""
        problem = problem or ends_whole(case, place, faults, expected)
        if problem:
            wrong[at] = problem
    case.clear(place)
    assert not wrong
