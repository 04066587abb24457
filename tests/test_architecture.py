"""The rooms: who may import what."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "fkp"
RANK = {
    "cli": 7, "bundled": 7, "api": 6, "learn": 5, "annotate": 4, "labels": 3, "vision": 2,
    "keypoints": 1, "json_values": 1, "locks": 1, "files": 0, "errors": 0,
}  # fmt: skip
ON_CALL = {
    ("keypoints/faces.py", "fkp.vision.draw"),
    ("keypoints/faces.py", "fkp.vision.images"),
    ("keypoints/faces.py", "fkp.annotate.output.frames"),
}
"""What `Faces` shows of itself when it is asked: a picture and a table, made by higher rooms."""
ONLY = {
    "click": {"cli"}, "rich": {"cli"}, "joblib": {"annotate"}, "torch": {"learn", "bundled"},
    "safetensors": {"learn", "bundled"}, "matplotlib": {"learn", "annotate/video"},
    "cv2": {"vision", "bundled", "learn/detector"}, "av": {"vision"}, "onnxruntime": {"vision"},
}  # fmt: skip


def imports() -> Iterator[tuple[str, str, str]]:
    """(file, its room, imported module) of every import in the package."""
    for path in sorted(PACKAGE.rglob("*.py")):
        file = path.relative_to(PACKAGE)
        room = file.with_suffix("").parts[0]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from ((file.as_posix(), room, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: relative import"
                module = node.module or ""
                yield file.as_posix(), room, module
                if module == "fkp":
                    rooms = (alias.name for alias in node.names if alias.name in RANK)
                    yield from ((file.as_posix(), room, f"fkp.{name}") for name in rooms)


def test_imports_go_one_way() -> None:
    """Each room imports lower ones alone, and so `bundled`, among the highest, none imports."""
    seen = 0
    for file, room, module in imports():
        parts = module.split(".")
        if (file, module) in ON_CALL:
            continue
        if parts[0] == "fkp" and len(parts) > 1 and room in RANK:
            seen += 1
            same = parts[1] == room
            assert same or RANK[parts[1]] < RANK[room], f"{file} imports {module}"
    assert seen > 50


def test_each_library_has_its_room() -> None:
    for file, _, module in imports():
        allowed = ONLY.get(module.split(".")[0])
        inside = allowed is None or any(file.startswith(f"{folder}/") for folder in allowed)
        assert inside, f"{file} imports {module}"


@pytest.mark.parametrize("module", ["fkp.annotate.pipeline", "fkp.labels.prepare", "fkp.cli.main"])
def test_torch_stays_out(module: str) -> None:
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("module", ["fkp.annotate.pipeline", "fkp.annotate.faces"])
def test_no_writer_is_loaded_for_finding_faces(module: str) -> None:
    code = f"import sys, {module}; sys.exit('fkp.annotate.output' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def sources() -> dict[str, list[str]]:
    """The lines of every file of the package."""
    return {
        str(path.relative_to(PACKAGE)): path.read_text(encoding="utf-8").splitlines()
        for path in sorted(PACKAGE.rglob("*.py"))
    }


def test_files_and_functions_are_short() -> None:
    for name, lines in sources().items():
        assert len(lines) <= 400, f"{name}: {len(lines)} lines"
        for node in ast.walk(ast.parse("\n".join(lines))):
            if isinstance(node, ast.FunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                assert length <= 60, f"{name}: {node.name} has {length} lines"


BLOCK = 10


def test_nothing_is_written_twice() -> None:
    """No ten lines of code stand in two places; imports and blank lines do not count."""
    seen: dict[tuple[str, ...], str] = {}
    for name, lines in sources().items():
        code = [
            (i, line.strip())
            for i, line in enumerate(lines, start=1)
            if line.strip() and not line.startswith(("from ", "import ", "    from "))
        ]
        for k in range(len(code) - BLOCK + 1):
            block = tuple(line for _, line in code[k : k + BLOCK])
            place = f"{name}:{code[k][0]}"
            assert block not in seen, f"{seen[block]} and {place} are the same"
            seen[block] = place


def test_no_rule_is_switched_off_for_a_file() -> None:
    text = (PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8")
    assert "per-file-ignores" not in text
    for name, lines in sources().items():
        for line in lines:
            assert "# noqa" not in line, f"{name}: {line.strip()}"
