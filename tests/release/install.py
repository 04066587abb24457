"""Does fkp work from its wheel and its sdist, as a stranger has it? `make dist-check` runs this.

usage: python -m tests.release.install DIST [--python PYTHON] [--only wheel|sdist]
Each is installed into an empty environment, and used there without a network, from a folder that
cannot be written, without HOME, and in another language.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "sample_images"


def run(*command: str | Path, cwd: Path, env: Mapping[str, str] | None = None) -> str:
    """What a command says; its failure ends the check."""
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=env, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def seconds(*command: str | Path, cwd: Path) -> float:
    """The best of five."""
    taken = []
    for _ in range(5):
        started = time.perf_counter()
        run(*command, cwd=cwd)
        taken.append(time.perf_counter() - started)
    return min(taken)


def size(folder: Path) -> float:
    """Megabytes."""
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) / 1e6


def install(package: Path, python: str, folder: Path) -> Path:
    """An environment with the package alone; its folder of programs."""
    run(python, "-m", "venv", folder / "venv", cwd=folder)
    programs = folder / "venv" / "bin"
    # The versions that the tests pass with, where it is the Python of the tests.
    pip = (programs / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    constraints = folder / "constraints.txt"
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    keep = pins if sys.version.startswith(run(python, "-c", VERSION, cwd=folder).strip()) else []
    constraints.write_text("\n".join(keep) + "\n")
    run(*pip, "-c", constraints, package, cwd=folder)
    run(programs / "python", "-m", "pip", "check", cwd=folder)
    return programs


VERSION = "import sys; print('%d.%d' % sys.version_info[:2])"


def use(programs: Path, folder: Path) -> None:
    """The commands in every kind of surroundings."""
    fkp = programs / "fkp"
    inside = folder / "work"
    inside.mkdir()
    print(" ", run(fkp, "--version", cwd=inside).strip(), "at", programs)
    assert run(programs / "python", "-m", "fkp", "--version", cwd=Path("/")).startswith("fkp")
    package = Path(
        run(programs / "python", "-c", "import fkp; print(fkp.__path__[0])", cwd=inside).strip()
    )
    assert package.is_relative_to(folder), package
    print(f"  {size(package):.1f} MB, with all it needs {size(folder / 'venv'):.0f} MB")
    print(f"  fkp --help {seconds(fkp, '--help', cwd=inside):.2f} s, import fkp "
          f"{seconds(programs / 'python', '-c', 'import fkp', cwd=inside):.2f} s")  # fmt: skip
    plain = {name: value for name, value in os.environ.items() if name in ("PATH", "TMPDIR")}
    subprocess.run(["chmod", "-R", "a-w", str(folder / "venv")], check=True)
    surroundings: dict[str, tuple[list[str], dict[str, str]]] = {
        "plain": ([], {**plain, "HOME": str(folder)}),
        "no HOME": ([], plain),
        "a HOME that is not there": ([], {**plain, "HOME": "/nonexistent"}),
        "LC_ALL=C": ([], {**plain, "LC_ALL": "C", "HOME": str(folder)}),
        "Turkish": ([], {**plain, "LANG": "tr_TR.UTF-8", "HOME": str(folder)}),
    }
    if shutil.which("unshare") and not subprocess.call(["unshare", "-rn", "true"]):
        surroundings["no network"] = (["unshare", "-rn"], {**plain, "HOME": str(folder)})
    tables = set()
    for name, (before, env) in surroundings.items():
        out = folder / name.replace(" ", "-").replace("=", "-")
        run(*before, fkp, "annotate", SAMPLES, "--out", out, cwd=inside, env=env)
        run(*before, fkp, "video", SAMPLES / "clip.mp4", "--out", out / "clip", cwd=inside, env=env)
        table = (out / "keypoints.csv").read_bytes() + (out / "clip/keypoints.csv").read_bytes()
        tables.add(table)
        run(*before, fkp, "doctor", cwd=inside, env=env)
        print(f"  {name}: annotate, video, doctor")
    assert len(tables) == 1, "the tables differ"
    assert not list(inside.iterdir()), "files were left in the working folder"


def main() -> None:
    """Check the packages in a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dist", type=Path)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--only", choices=("wheel", "sdist"))
    given = parser.parse_args()
    for kind, pattern in (("wheel", "*.whl"), ("sdist", "*.tar.gz")):
        if given.only in (None, kind):
            (package,) = given.dist.resolve().glob(pattern)
            with tempfile.TemporaryDirectory() as temporary:
                print(package.name)
                folder = Path(temporary)
                try:
                    use(install(package, given.python, folder), folder)
                finally:
                    subprocess.run(["chmod", "-R", "u+w", temporary], check=False)


if __name__ == "__main__":
    main()
