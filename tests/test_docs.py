"""What the documents say is there is there."""

import re
import shlex
import shutil
from pathlib import Path

import click
import numpy as np
import pytest

import fkp
from fkp.cli.main import COMMANDS, cli
from fkp.labels.prepare import PrepareConfig, prepare
from fkp.learn.networks.checkpoint import find_model, load_model
from fkp.learn.networks.export import export
from tests.helpers import write_course

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = ["README.md", "README.zh-CN.md", "CONTRIBUTING.md", "fkp/weights/MODEL_CARD.md"]


def commands(text: str) -> list[list[str]]:
    """The command lines of fkp in indented blocks, as words."""
    joined = text.replace("\\\n", " ")
    lines = re.findall(r"^ {4}(?:\$ |.*\| )?(fkp .*)$", joined, flags=re.MULTILINE)
    return [shlex.split(line.split(" | ")[0], comments=True) for line in lines]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_and_their_options_exist(document: str) -> None:
    found = commands((ROOT / document).read_text(encoding="utf-8"))
    assert "README" not in document or len(found) > 40
    for _, name, *words in found:
        if name == "COMMAND":
            continue
        assert name in COMMANDS, name
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        known = {o for p in command.params for o in (*p.opts, *p.secondary_opts)}
        for word in words:
            if word.startswith("-") and word != "-":
                assert word in known | {"--help"}, f"{document}: fkp {name} has no {word}"


@pytest.mark.parametrize("document", [*DOCUMENTS, "sample_images/README.md"])
def test_links_lead_somewhere(document: str) -> None:
    path = ROOT / document
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), f"{document}: {target}"


def test_the_readme_s_python_runs(
    tmp_path: Path,
    samples: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("onnx")
    text = (ROOT / "README.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 2
    monkeypatch.chdir(tmp_path)
    shutil.copyfile(samples / "astronaut.jpg", "photo.jpg")
    crops = np.load(find_model("bundled").with_name("crops.npy"))
    export(
        load_model(find_model("bundled"), trainable=True), Path("keypoints68.onnx"), "onnx", crops
    )
    write_course(tmp_path, 24, persons=12)
    prepare(PrepareConfig((Path("labels.csv"),), Path("data.csv")), lambda done, total: None)
    # The exported network by ONNX Runtime alone puts the eyes where fkp does.
    exec(blocks[0], {})
    shown = np.array(re.findall(r"[-\d.]+", capsys.readouterr().out), float).reshape(68, 2)
    faces = fkp.load("bundled").annotate("photo.jpg")
    assert np.abs(shown - faces.points[0])[36:48].max() < 3
    exec(blocks[1].replace("epochs=20", "epochs=2"), {})
    assert float(capsys.readouterr().out.splitlines()[-1]) < 1


def test_the_translation_is_in_step() -> None:
    """The same commands and code, names, pictures, figures in tables, and sections."""
    english, chinese = (
        (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh-CN.md")
    )
    forms = {
        "code": r"^(?: {4}.*|```.*)$",
        "pictures": r"!\[[^\]]*\]\(([^)]*)\)",
        "sections": r"^(#+) ",
        "rows": r"^\|(?=[-|]+\|$)",
    }
    for what, form in forms.items():
        one, other = (re.findall(form, text, flags=re.MULTILINE) for text in (english, chinese))
        assert one == other, what

    def names(text: str) -> set[str]:
        prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
        return {" ".join(name.split()) for name in re.findall(r"`[^`]+`", prose)}

    assert names(english) == names(chinese)

    def figures(text: str) -> list[list[str]]:
        rows = re.findall(r"^\|.*\|$", text, flags=re.MULTILINE)
        return [sorted(re.findall(r"\d+(?:\.\d+)?", row)) for row in rows]

    for one, other in zip(figures(english), figures(chinese), strict=True):
        assert one == other


def test_every_sample_is_in_the_list() -> None:
    listed = (ROOT / "sample_images" / "README.md").read_text(encoding="utf-8")
    for path in (ROOT / "sample_images").iterdir():
        assert path.name == "README.md" or f"`{path.name}`" in listed, path.name


def test_make_targets_in_the_documents_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([\w -]+):", makefile, flags=re.MULTILINE))
    targets = {target for names in targets for target in names.split()}
    for document in DOCUMENTS:
        text = (ROOT / document).read_text(encoding="utf-8")
        for target in re.findall(r"(?:`|^    )make ([\w-]+)", text, flags=re.MULTILINE):
            assert target in targets, f"{document}: make {target}"
