"""What is in the wheel and the sdist."""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def test_the_packages_hold_all_and_nothing_else(tmp_path: Path) -> None:
    pytest.importorskip("build")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (wheel,), (source,) = tmp_path.glob("*.whl"), tmp_path.glob("*.tar.gz")
    inside = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "fkp").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as file:
        names = [name for name in file.namelist() if not name.endswith("/")]
    about = [name for name in names if ".dist-info/" in name]
    assert set(names) - set(about) == inside
    assert {"fkp/weights/faces.onnx", "fkp/weights/keypoints68.safetensors"} <= set(names)
    assert any(name.endswith("licenses/LICENSE") for name in about)
    with tarfile.open(source) as file:
        packed = {"/".join(name.split("/")[1:]) for name in file.getnames()}
    assert inside <= packed
    assert not [n for n in packed if n.startswith((".venv", "results", "build", ".git/"))]
