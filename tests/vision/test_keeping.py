"""Dates and colour profiles of photos."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageCms

from fkp.vision.images import read_image
from fkp.vision.keeping import DETAILS, MADE, ORIGINAL, kept_of, write_kept

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def photo(path: Path, when: str | None = "2021:05:06 07:08:09") -> Path:
    exif = Pillow.Exif()
    exif[0x0112] = 6  # orientation
    exif[0x010F] = "Maker"
    exif[MADE] = "2022:01:01 00:00:00"
    if when is not None:
        exif.get_ifd(DETAILS)[ORIGINAL] = when
    exif.get_ifd(0x8825)[1] = "N"  # GPS
    Pillow.new("RGB", (40, 30), (10, 100, 200)).save(path, exif=exif, icc_profile=PROFILE)
    return path


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_the_dates_and_the_profile_are_kept_and_nothing_else(suffix: str, tmp_path: Path) -> None:
    kept = kept_of(str(photo(tmp_path / "a.jpg")))
    assert kept.date is not None
    assert kept.date.strftime("%Y-%m-%d %H:%M:%S") == "2021-05-06 07:08:09"
    image = np.full((20, 20, 3), (200, 100, 10), np.uint8)
    write_kept(tmp_path / f"b{suffix}", image, kept)
    assert np.abs(read_image(tmp_path / f"b{suffix}").astype(int) - image).max() < 6
    with Pillow.open(tmp_path / f"b{suffix}") as written:
        exif = written.getexif()
        assert exif.get_ifd(DETAILS)[ORIGINAL] == "2021:05:06 07:08:09"
        assert 0x0112 not in exif or exif[0x0112] == 1
        assert 0x010F not in exif
        assert not exif.get_ifd(0x8825)
        assert written.info["icc_profile"] == PROFILE
    assert kept_of(str(tmp_path / f"b{suffix}")).date == kept.date


NAMES = {
    "IMG_20190304_050607.jpg": "2019-03-04 05:06:07",
    "2018-02-03.png": "2018-02-03 00:00:00",
    "20191399.jpg": None,
    "DSC0042019.jpg": None,
}


@pytest.mark.parametrize("name", NAMES)
def test_a_date_in_the_name(name: str, tmp_path: Path) -> None:
    Pillow.new("RGB", (4, 4)).save(tmp_path / name)
    date = kept_of(str(tmp_path / name)).date
    assert (date and date.strftime("%Y-%m-%d %H:%M:%S")) == NAMES[name]


def test_a_clock_that_was_never_set(tmp_path: Path) -> None:
    kept = kept_of(str(photo(tmp_path / "2020-07-08.jpg", "0000:00:00 00:00:00")))
    assert kept.date is not None
    assert kept.date.year == 2022  # by the other tag
    (tmp_path / "x.jpg").write_bytes(b"no picture")
    assert kept_of(str(tmp_path / "x.jpg")).date is None
