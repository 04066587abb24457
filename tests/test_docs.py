"""What the documents say is there is there."""

import re
import shlex
from pathlib import Path

import click
import pytest

from fkp.cli.main import COMMANDS, cli

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = ["README.md", "CONTRIBUTING.md", "fkp/weights/MODEL_CARD.md"]


def commands(text: str) -> list[list[str]]:
    """The command lines of fkp in indented blocks, as words."""
    joined = text.replace("\\\n", " ")
    lines = re.findall(r"^ {4}(?:\$ |.*\| )?(fkp .*)$", joined, flags=re.MULTILINE)
    return [shlex.split(line.split(" | ")[0], comments=True) for line in lines]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_and_their_options_exist(document: str) -> None:
    found = commands((ROOT / document).read_text(encoding="utf-8"))
    assert document != "README.md" or len(found) > 12
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
