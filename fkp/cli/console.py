"""Progress and tables on the terminal."""

import os
import platform
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from fkp import __version__


class _Terminal(Console):
    """A console whose reader may exit early (`| head`) without ending the command."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        _discard(self.file.fileno())


def _discard(number: int) -> None:
    """Redirect an open file to the null device."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), number)


out = _Terminal(highlight=False)
err = _Terminal(stderr=True, highlight=False)
_notes = _Terminal(stderr=True, highlight=False)
_details = _Terminal(stderr=True, highlight=False, quiet=True)

Command = TypeVar("Command", bound=Callable[..., object])
Say = Callable[[str], None]

_bars: list[Progress] = []
"""The progress bar on the terminal, if there is one."""


@contextmanager
def bar_shown(bar: Progress) -> Iterator[None]:
    """Show a bar; lines printed meanwhile appear above it."""
    with bar:
        _bars.append(bar)
        try:
            yield
        finally:
            _bars.pop()


def _print(console: Console, text: str) -> None:
    """Print a line verbatim: no markup, no wrapping."""
    if console.quiet:
        return
    for bar in _bars:
        bar.stop()
    console.print(text, markup=False, soft_wrap=True)
    for bar in _bars:
        bar.start()


@contextmanager
def reader_may_leave() -> Iterator[None]:
    """Exit quietly if the reader of stdout has closed it, as `| head` does."""
    try:
        yield
    except BrokenPipeError:
        _discard(sys.stdout.fileno())


@contextmanager
def interrupt_ends() -> Iterator[threading.Event]:
    """Let the first Ctrl-C set an event, which ends a live run; the second one aborts it."""
    event = threading.Event()

    def stop(number: int, frame: object) -> None:
        event.set()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def progress(title: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on stderr if that is a terminal; yields a function to call with (done, total)."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    bar = Progress(*columns, console=err, transient=True, disable=not err.is_terminal or out.quiet)
    task = bar.add_task(title, total=None)

    def update(done: int, total: int) -> None:
        bar.update(task, completed=done, total=total)

    with bar_shown(bar):
        yield update


def talk_options(command: Command) -> Command:
    """How much is printed."""

    def quiet(context: click.Context, parameter: click.Parameter, given: bool) -> None:
        out.quiet = _notes.quiet = given

    def verbose(context: click.Context, parameter: click.Parameter, given: bool) -> None:
        _details.quiet = not given
        python = platform.python_version()
        detail(f"fkp {__version__}, Python {python}, {os.cpu_count()} CPUs")

    options = (
        click.option(
            "-q", "--quiet", is_flag=True, expose_value=False, callback=quiet, is_eager=True,
            help="Print only warnings and errors.",
        ),
        click.option(
            "-v", "--verbose", is_flag=True, expose_value=False, callback=verbose, is_eager=True,
            help="Print more: the network file, seconds per stage, the source of an error.",
        ),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def is_verbose() -> bool:
    """Whether --verbose was given."""
    return not _details.quiet


def silence() -> None:
    """Print nothing from now on: another process does."""
    out.quiet = err.quiet = _notes.quiet = _details.quiet = True


def say(text: str = "") -> None:
    """Print a line on stdout."""
    _print(out, text)


def note(text: str) -> None:
    """Print a line that is not a warning on stderr, as stdout holds rows."""
    _print(_notes, text)


def detail(text: str) -> None:
    """Print a line on stderr, with --verbose."""
    _print(_details, text)


def detail_seconds(seconds: Mapping[str, float]) -> None:
    """Print the seconds of each stage, with --verbose."""
    detail("seconds: " + ", ".join(f"{stage} {spent:.2f}" for stage, spent in seconds.items()))


def warn(text: str) -> None:
    """Print a line on stderr."""
    _print(err, text)


def table(columns: list[str], rows: list[list[str]]) -> None:
    """Print a plain table; the first column is left-aligned, the others right-aligned."""
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for i, name in enumerate(columns):
        grid.add_column(name, justify="left" if i == 0 else "right", no_wrap=True)
    for row in rows:
        grid.add_row(*row)
    out.print(grid)


def wide_table(columns: list[str], rows: list[list[str]]) -> None:
    """Print a table as plain text, at its full width; numbers and sizes are right-aligned."""
    texts = [columns, *rows]
    widths = [max(len(row[i]) for row in texts) for i in range(len(columns))]
    right = [all(row[i][:1].isdigit() for row in rows) for i in range(len(columns))]
    for row in texts:
        cells = [
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        ]
        say("  ".join(cells).rstrip())


def parse_pairs(text: str | None) -> tuple[tuple[str, str], ...] | None:
    """Parse `a:b,c:d` into pairs of names."""
    if text is None:
        return None
    pairs = [item.split(":") for item in text.split(",")]
    if any(len(pair) != 2 for pair in pairs):
        raise click.BadParameter("expected pairs of names: a:b,c:d", param_hint="--flip-pairs")
    return tuple((a.strip(), b.strip()) for a, b in pairs)
