"""What a clip can be by its name, and what is never shown of it."""

from pathlib import Path

import pytest

from fkp.errors import NoPicturesError
from fkp.vision.sources import is_pattern, is_sequence, masked, missing_numbers, pictures_of


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://user:secret@host/a.mp4", "http://user:***@host/a.mp4"),
        ("rtsp://user:se@cret@10.0.0.5:554/live", "rtsp://user:***@10.0.0.5:554/live"),
        ("rtsp://user:se/cret@host/live", "rtsp://user:***@host/live"),
        ("https://token1234@host/a", "https://***@host/a"),
        ("http://host/a?user=me&password=secret&x=1", "http://host/a?user=me&password=***&x=1"),
        ("rtsp://host/user=me&Pwd=secret&channel=1", "rtsp://host/user=me&Pwd=***&channel=1"),
        ("https://host/a.m3u8?token=abc.def#t", "https://host/a.m3u8?token=***#t"),
        ("http://host:8080/a@2x.mp4", "http://host:8080/a@2x.mp4"),
        ("http://[::1]:80/a", "http://[::1]:80/a"),
        ("C:/films/a.mp4", "C:/films/a.mp4"),
        ("unreadable: ftp://a:b@c/d: gone", "unreadable: ftp://a:***@c/d: gone"),
    ],
)
def test_passwords_are_hidden(address: str, shown: str) -> None:
    assert masked(address) == shown


def test_sequences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("f_1.png", "f_2.png", "f_10.png", "f_5.jpg", ".f_3.png", "notes.txt"):
        (tmp_path / name).touch()
    assert [Path(p).name for p in pictures_of(".")] == ["f_1.png", "f_2.png", "f_5.jpg", "f_10.png"]
    numbered = ["f_1.png", "f_2.png", "f_10.png"]
    assert [Path(p).name for p in pictures_of("f_%d.png")] == numbered
    assert [Path(p).name for p in pictures_of("f_*.png")] == numbered
    assert missing_numbers(pictures_of("f_*.png")) == 7
    assert missing_numbers(["a_10.png", "a_20.png", "a_30.png"]) == 0
    assert [is_pattern(n) for n in ("f_%04d.png", "f_*.png", "f_1.png", "f_%d.mp4")] == [
        True, True, False, False,
    ]  # fmt: skip
    assert is_sequence(".")
    (tmp_path / "f_%d.png").touch()  # a file of this name is that file
    assert not is_pattern("f_%d.png")
    for nothing in ("g_%d.png", "g_*.png", "none/%d.png"):
        with pytest.raises(NoPicturesError):
            pictures_of(nothing)
