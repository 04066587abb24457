"""Which faces are aligned: automatically, one per period, and as a person wants it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from fkp.annotate.align.candidates import Candidate, chosen
from fkp.annotate.align.choices import read_choices, with_choices, write_choices
from fkp.annotate.align.pictures import files_for
from fkp.annotate.align.settings import AlignConfig
from fkp.errors import LabelError, UsageError
from fkp.vision.crop import CropTransform
from fkp.vision.templates import framing_of
from fkp.vision.warp import Warp

FRAMING = framing_of("ffhq-512")
WARP = Warp(CropTransform(1, 0, 0, 0, 8), 8, 8)


def face(image: str, number: int, size: float, rank: float = 0.5, x: float = 50) -> Candidate:
    return Candidate(image, number, "not_chosen", "", WARP, rank, x, 50, size)


GROUP = [
    face("a.jpg", 0, 40, x=20),
    face("a.jpg", 1, 60, x=200),
    Candidate("b.jpg", None, "no_face"),
]


def taken(candidates: list[Candidate], how: AlignConfig) -> list[tuple[str, int | None]]:
    found = chosen(candidates, how, lambda image: None)
    return [(one.image, one.face) for one in found if one.status == "aligned"]


def test_the_largest_the_first_or_each() -> None:
    assert taken(GROUP, AlignConfig(FRAMING)) == [("a.jpg", 1)]
    assert taken(GROUP, AlignConfig(FRAMING, "first")) == [("a.jpg", 0)]
    assert taken(GROUP, AlignConfig(FRAMING, "each")) == [("a.jpg", 0), ("a.jpg", 1)]


def test_choices_survive_and_go_first(tmp_path: Path) -> None:
    path = tmp_path / "choices.csv"
    write_choices(path, chosen(GROUP, AlignConfig(FRAMING), lambda image: None))
    assert read_choices(path) == []
    text = path.read_text()
    edited = text.replace("a.jpg,0,,", "a.jpg,0,Yes,").replace(",", ";")
    path.write_bytes(b"\xef\xbb\xbf" + edited.encode())  # as a spreadsheet saves it
    # In another run the faces have other numbers, and lie a little elsewhere.
    again = [face("a.jpg", 1, 42, x=25), face("a.jpg", 0, 60, x=199), GROUP[2]]
    found = with_choices(again, read_choices(path))
    assert taken(found, AlignConfig(FRAMING)) == [("a.jpg", 1)]
    write_choices(path, found)
    assert [choice.face for choice in read_choices(path)] == [1]
    rejected = with_choices(GROUP, read_choices(path))
    path.write_text(text.replace("a.jpg,1,,", "a.jpg,1,no,"))
    rejected = with_choices(GROUP, read_choices(path))
    assert taken(rejected, AlignConfig(FRAMING)) == [("a.jpg", 0)]
    far = with_choices([face("a.jpg", 0, 40, x=400)], read_choices(path))
    assert far[0].use is None


def test_damaged_choices_are_errors(tmp_path: Path) -> None:
    path = tmp_path / "choices.csv"
    write_choices(path, GROUP)
    text = path.read_text()
    path.write_text(text.replace("a.jpg,0,,", "a.jpg,0,perhaps,"))
    with pytest.raises(LabelError, match=r"choices\.csv row 2, column use: .* got perhaps"):
        read_choices(path)
    path.write_text(text.replace("a.jpg,0,,", "a.jpg,none,yes,"))
    with pytest.raises(LabelError, match=r"choices\.csv row 2: expected numbers"):
        read_choices(path)
    path.write_text("image,face\n")
    with pytest.raises(LabelError, match="has no column center_x, center_y, size, use"):
        read_choices(path)


DATES = {
    "mon.jpg": datetime(2024, 12, 30, 9, tzinfo=UTC),
    "tue.jpg": datetime(2024, 12, 31, 9, tzinfo=UTC),
    "late.jpg": datetime(2024, 12, 31, 23, tzinfo=UTC),
    "wed.jpg": datetime(2025, 1, 1, 9, tzinfo=UTC),  # of the same week
    "next.jpg": datetime(2025, 1, 6, 9, tzinfo=UTC),
}
RANKS = {"mon.jpg": 0.4, "tue.jpg": 0.6, "late.jpg": 0.7, "wed.jpg": 0.5, "next.jpg": 0.1}


def best(period: str, *choices: str) -> list[str]:
    candidates = [face(name, 0, 40, RANKS.get(name, 0.9)) for name in (*DATES, "undated.jpg")]
    for i, one in enumerate(candidates):
        if one.image in choices:
            candidates[i] = face(one.image, 0, 40, one.rank)
            object.__setattr__(candidates[i], "use", True)
    found = chosen(candidates, AlignConfig(FRAMING, one_per=period), DATES.get)
    undated = found[-1]
    assert undated.status == "not_chosen"
    assert undated.reason.startswith("no date")
    return [one.image for one in found if one.status == "aligned"]


def test_the_best_of_each_day_or_week() -> None:
    assert best("day") == ["mon.jpg", "late.jpg", "wed.jpg", "next.jpg"]
    assert best("week") == ["late.jpg", "next.jpg"]
    assert best("week", "mon.jpg") == ["mon.jpg", "next.jpg"]


def test_no_two_pictures_share_a_file() -> None:
    names = ["/r/a.jpg", "/r/a.jpg", "/r/sub/a.jpg", "/r/a.face0.jpg", "/r/raw.dng"]
    aligned = [face(name, 0, 40) for name in names]
    done = chosen(aligned[:1], AlignConfig(FRAMING), lambda image: None)
    assert done[0].status == "aligned"
    each = [chosen([one], AlignConfig(FRAMING), lambda image: None)[0] for one in aligned]
    files = [one.file for one in files_for(each, "/r", each=True)]
    assert len(set(files)) == len(files)
    assert files[0] == "faces/a.face0.jpg"
    assert files[2] == "faces/sub/a.face0.jpg"
    assert files[4].endswith(".png")
    plain = [one.file for one in files_for(each, "/r", each=False)]
    assert plain[:3] == ["faces/a.jpg", "faces/a.face0.jpg", "faces/sub/a.jpg"]
    assert len(set(plain)) == len(plain)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"faces": "all"}, "faces: expected one of largest, first, each"),
        ({"one_per": "month"}, "one_per: expected one of None, day, week"),
        ({"hold": 0.0, "fade": 0.0}, "at least 1/30 second together"),
        ({"timelapse": Path("x.avi")}, "ends in .mp4"),
    ],
)
def test_settings_that_cannot_be(change: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        AlignConfig(FRAMING, **change)  # type: ignore[arg-type]
