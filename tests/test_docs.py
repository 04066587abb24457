"""What the documents say is there is there: commands, options, links, messages, translations."""

import ast
import re
import runpy
import shlex
import tomllib
from functools import cache
from itertools import chain
from pathlib import Path

import click
import pytest

import fkp
from fkp.cli.main import COMMANDS, cli
from fkp.keypoints import SCHEMES

ROOT = Path(__file__).resolve().parents[1]
PAGES = [str(path.relative_to(ROOT)) for path in sorted((ROOT / "docs").rglob("*.md"))]
AROUND = [
    "README.md", "README.zh-CN.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md",
    "fkp/weights/MODEL_CARD.md",
]  # fmt: skip
DOCUMENTS = [*AROUND, *PAGES]
TRANSLATED = [("README.md", "README.zh-CN.md"), ("docs/quickstart.md", "docs/quickstart.zh-CN.md")]


def read(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def blocks(text: str, *languages: str) -> list[str]:
    """What stands in fenced blocks of these languages."""
    found = re.findall(r"^```(\w*)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    return [body for language, body in found if language in languages]


def spans(text: str) -> list[str]:
    """Code within sentences and tables."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose)]


def command_lines(text: str) -> list[list[str]]:
    """Every call of fkp, as words: in blocks, after pipes, and in sentences."""
    shell = "\n".join(blocks(text, "sh", "bash", "console", "text")).replace("\\\n", " ")
    called = r"^(?:\$ )?(?:.*\| )?(?:torchrun .*-m )?(fkp .*)$"
    lines = re.findall(called, shell, flags=re.MULTILINE)
    lines += [span for span in spans(text) if span.startswith("fkp ")]
    return [shlex.split(line.split(" | ")[0], comments=True) for line in lines]


@cache
def options(name: str) -> frozenset[str]:
    """Of a command."""
    command = cli.get_command(click.Context(cli), name)
    assert command is not None, name
    own = chain.from_iterable((*p.opts, *p.secondary_opts) for p in command.params)
    return frozenset(own) | {"--help"}


def choices(name: str, option: str) -> list[str]:
    """What an option may be."""
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    kind = next(p.type for p in command.params if option in p.opts)
    assert isinstance(kind, click.Choice)
    return [str(choice) for choice in kind.choices]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_and_their_options_exist(document: str) -> None:
    for _, name, *words in command_lines(read(document)):
        if name in ("COMMAND", "--help"):
            continue
        assert name in COMMANDS, name
        for word in words:
            if re.match(r"--?[a-z0]", word):
                assert word in options(name), f"{document}: fkp {name} has no {word}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_options_in_sentences_exist(document: str) -> None:
    known = frozenset().union(*map(options, COMMANDS))
    elsewhere = {
        "--hour",
        "--record",
        "--nproc-per-node",
        "--deface",
        "--photos",
        "--seeds",
        "--seconds",
    }  # of benchmarks and of torchrun
    for span in spans(read(document)):
        for word in re.findall(r"(?<![\w-])--[a-z][a-z-]*", span):
            assert word in known | elsewhere, f"{document}: no command has {word}"


def test_every_command_has_its_place() -> None:
    everywhere = {name for page in PAGES for _, name, *_ in command_lines(read(page))}
    assert set(COMMANDS) <= everywhere
    guides = "".join(read(page) for page in PAGES if "reference/commands" not in page)
    assert {name for name in COMMANDS if f"fkp {name}" not in guides} == set()


def test_the_generated_pages_are_up_to_date() -> None:
    for name, make in runpy.run_path(str(ROOT / "docs" / "pages.py"))["PAGES"].items():
        assert make() == read(f"docs/reference/{name}"), f"{name}: make docs writes it"


@pytest.mark.parametrize("document", [*DOCUMENTS, "sample_images/README.md"])
def test_links_lead_somewhere(document: str) -> None:
    path = ROOT / document
    for target, anchor in re.findall(r"\]\(([^)#]*)(#[^)]*)?\)", read(document)):
        page = path.parent / target if target else path
        assert page.exists(), f"{document}: {target}"
        if anchor:
            titles = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", title).lower().replace(" ", "-") for title in titles}
            assert anchor[1:] in slugs, f"{document}: {target}{anchor}"


def test_the_readme_is_short() -> None:
    assert len(read("README.md").encode()) <= 8192


@pytest.mark.parametrize(("english", "chinese"), TRANSLATED)
def test_the_translation_is_in_step(english: str, chinese: str) -> None:
    """The same code, names, pictures, links, sections, and figures in tables."""
    one, other = read(english), read(chinese)
    forms = {
        "code": r"^```.*?^```",
        "pictures": r"!\[[^\]]*\]\(([^)]*)\)",
        "sections": r"^(#+) ",
        "rows": r"^\|(?=[-|]+\|$)",
    }
    for what, form in forms.items():
        both = (re.findall(form, text, re.MULTILINE | re.DOTALL) for text in (one, other))
        assert next(both) == next(both), what
    assert set(spans(one)) == set(spans(other))

    def links(text: str) -> set[str]:
        found = re.findall(r"[^!]\[[^\]]*\]\(([^)]*)\)", text)
        return {link.replace(".zh-CN.md", ".md").replace("README.md", "") for link in found}

    def figures(text: str) -> list[list[str]]:
        rows = re.findall(r"^\|.*\|$", text, flags=re.MULTILINE)
        return [sorted(re.findall(r"\d+(?:\.\d+)?", row)) for row in rows]

    assert links(one) == links(other)
    for row, translated in zip(figures(one), figures(other), strict=True):
        assert row == translated


@cache
def messages() -> str:
    """Every text in the code, a line each; `{}` where a value is put in."""
    lines = [read("Makefile")]
    for path in (ROOT / "fkp").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = (p.value if isinstance(p, ast.Constant) else "{}" for p in node.values)
                lines.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                lines.append(node.value)
    return "\n".join(lines)


def test_messages_in_troubleshooting_exist() -> None:
    rows = re.findall(r"^\| (.*?) \|", read("docs/troubleshooting.md"), flags=re.MULTILINE)
    quoted = [span for row in rows for span in re.findall(r"`([^`]+)`", row)]
    quoted = [span for span in quoted if span.count(" ") > 1]  # others are statuses and options
    assert len(quoted) > 30
    parts = (part.strip(" ,;()") for message in quoted for part in message.split("..."))
    assert [part for part in parts if part not in messages()] == []


def test_every_choice_is_documented() -> None:
    inputs, results = read("docs/reference/inputs.md"), read("docs/reference/results.md")
    quickstart, project = read("docs/quickstart.md"), tomllib.loads(read("pyproject.toml"))
    extras = project["project"]["optional-dependencies"]
    assert [name for name in choices("prepare", "--from") if f"`{name}`" not in inputs] == []
    assert [name for name in SCHEMES if f"`{name}`" not in inputs] == []
    assert [name for name in choices("annotate", "--also") if f"`{name}`" not in results] == []
    assert [name for name in choices("annotate", "--format") if f"`{name}`" not in results] == []
    assert [name for name in extras if f"[{name}]" not in quickstart] == []
    named = {name for page in DOCUMENTS for name in re.findall(r"(?:fkp|\.)\[(\w+)\]", read(page))}
    assert named <= set(extras)


@pytest.mark.parametrize("document", [*AROUND[:-1], *PAGES])
def test_files_of_the_code_exist(document: str) -> None:
    known = [f"/{path.relative_to(ROOT)}" for path in ROOT.rglob("*.py")]
    named = [span for span in spans(read(document)) if re.fullmatch(r"[\w/]+\.py", span)]
    gone = [name for name in named if not any(path.endswith(f"/{name}") for path in known)]
    assert gone == []


def test_every_sample_is_in_the_list() -> None:
    listed = read("sample_images/README.md")
    for path in (ROOT / "sample_images").iterdir():
        assert path.name == "README.md" or f"`{path.name}`" in listed, path.name


@pytest.mark.parametrize("document", DOCUMENTS)
def test_make_targets_exist(document: str) -> None:
    targets = set(re.findall(r"^([\w -]+):", read("Makefile"), flags=re.MULTILINE))
    targets = {target for names in targets for target in names.split()}
    text = read(document)
    lines = [*spans(text), *"".join(blocks(text, "sh")).splitlines()]
    for line in lines:
        if line.startswith("make "):
            words = line.split("#")[0].split()[1:]
            for target in (word for word in words if "=" not in word):
                assert target in targets, f"{document}: make {target}"


def test_the_citation_is_of_this_version() -> None:
    assert f"\nversion: {fkp.__version__}\n" in read("CITATION.cff")
