#!/usr/bin/env python3
"""The pages of docs/ that are made from something else.

usage: python docs/pages.py [--check]

Writes docs/reference/commands.md, from the `--help` of every command, and
docs/reference/codebook.md, from docs/reference/codebook.json; with --check it only compares, and
exits with 1 where a page is out of date. mkdocs loads this file as a hook, for the model card.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "docs" / "reference"
CARD = ROOT / "fkp" / "weights" / "MODEL_CARD.md"

COMMANDS_HEAD = """\
This page is generated from `fkp COMMAND --help`. Every command ends with one of these exit codes:
0, all inputs were read; 1, the run failed; 2, wrong usage; 3, a person is needed: some inputs or
rows could not be used and are listed, or labels have several possible meanings; 130, 143 or
129, stopped by Ctrl-C, SIGTERM or SIGHUP."""

CODEBOOK_HEAD = """\
Every column of every table that fkp writes. The same as data: [codebook.json](codebook.json).

Coordinates are pixels of the original picture, upright; x points right, y down, and the centre of
the first pixel is at (0, 0). Left and right are the subject's. An empty cell means that the value
is not known; there is no other code for missing values."""


def commands() -> str:
    """A section per command: its summary, examples and options."""
    from fkp.cli.main import COMMANDS, cli

    group = click.Context(cli, info_name="fkp", **cli.context_settings)
    parts = ["# Commands", COMMANDS_HEAD]
    for name in COMMANDS:
        command = cli.get_command(group, name)
        assert command is not None
        parts += _command(command, click.Context(command, group, f"fkp {name}"))
    return "\n\n".join(parts) + "\n"


def _command(command: click.Command, context: click.Context) -> list[str]:
    usage = command.collect_usage_pieces(context)
    parts = [f"## {context.info_name}", f"```text\n{context.info_name} {' '.join(usage)}\n```"]
    for paragraph in (command.help or "").split("\n\n"):
        text = paragraph.strip()
        if text.startswith("\b"):  # click leaves the lines of such a paragraph as they are
            lines = [line.strip() for line in text.removeprefix("\b").strip().splitlines()]
            called = all(line.startswith(("fkp ", "torchrun ")) for line in lines)
            parts.append("\n".join(["```sh" if called else "```text", *lines, "```"]))
        else:
            parts.append(" ".join(text.split()))
    rows = ["| option | |", "|---|---|"]
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if isinstance(parameter, click.Option) and record is not None:
            rows.append(f"| {_code(record[0])} | {_cell(record[1])} |")
    return [*parts, "\n".join(rows)]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "&#124;")  # which ends no cell in any Markdown


def _code(text: str) -> str:
    breaking = _cell(text.replace("<", "&lt;")).replace("&#124;", "&#124;<wbr>")
    return f"<code>{breaking}</code>"


def codebook() -> str:
    """A table per file: its columns, with unit, range, and when they are empty."""
    book: list[dict[str, Any]] = json.loads((REFERENCE / "codebook.json").read_text())
    parts = ["# Codebook", CODEBOOK_HEAD]
    for file in book:
        parts += [f"## {file['file']}", f"{file['about']} One row is {file['row']}."]
        rows = ["| column | meaning | unit | range | empty |", "|---|---|---|---|---|"]
        for column in file["columns"]:
            cells = [f"`{column['name']}`", *(column[key] for key in ("meaning", "unit", "range"))]
            rows.append(f"| {' | '.join(map(_cell, [*cells, column['empty']]))} |")
        parts.append("\n".join(rows))
    return "\n\n".join(parts) + "\n"


PAGES = {"commands.md": commands, "codebook.md": codebook}


def main() -> int:
    """Write the pages, or compare them; the exit code."""
    check, stale = "--check" in sys.argv[1:], []
    for name, make in PAGES.items():
        path, text = REFERENCE / name, make()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(str(path.relative_to(ROOT)))
            if not check:
                path.write_text(text, encoding="utf-8")
    if check and stale:
        print(f"out of date: {', '.join(stale)}; run make docs", file=sys.stderr)
        return 1
    return 0


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """For mkdocs: the page of the model card shows the card itself, which is in the package."""
    if page.file.src_uri != "model-card.md":
        return markdown
    card = CARD.read_text(encoding="utf-8")
    return re.sub(r"\]\((?:\.\./)+docs/", "](", card)


if __name__ == "__main__":
    sys.exit(main())
