"""`fkp`: the group of commands, and error handling."""

import importlib
import sys
import traceback
import warnings
from contextlib import suppress
from typing import NoReturn

import click
from click.shell_completion import CompletionItem

from fkp import __version__
from fkp.cli import signals
from fkp.errors import FkpError, UndecidedError, UsageError

_SUMMARIES = {
    "prepare": "Turn labelled tables into one checked data set.",
    "train": "Train a keypoint network on a data set.",
    "train-detector": "Fine-tune the face detector on your own pictures.",
    "evaluate": "Measure a network's errors on a data set.",
    "benchmark": "Evaluate a network on a published benchmark.",
    "audit": "Find labels that are probably wrong.",
    "predict": "Predict the points for the rows of a data set.",
    "annotate": "Find faces and keypoints in pictures.",
    "video": "Find faces and keypoints in clips, frame by frame.",
    "align": "Cut out faces aligned to a template; make timelapses.",
    "people": "Group the faces of results by person.",
    "hide": "Write copies of photos and clips in which faces are hidden.",
    "symmetry": "Compare the two sides of faces in photos of visits.",
    "merge": "Join the results of several shards of annotate.",
    "convert": "Write labels in the format of another tool.",
    "export": "Write a network for other runtimes.",
    "info": "Describe a network, a table, a video or a picture.",
    "doctor": "Check the installation, or estimate what a large job needs.",
}
COMMANDS = tuple(_SUMMARIES)


class LazyGroup(click.Group):
    """Imports a command on first use, so that `fkp --help` is fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = cmd_name.replace("-", "_")
        command = getattr(importlib.import_module(f"fkp.cli.{module}"), f"{module}_command")
        if not isinstance(command, click.Command):
            raise TypeError(f"fkp.cli.{module} has no command")
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        # click would import every command.
        names = [
            CompletionItem(name, help=summary)
            for name, summary in _SUMMARIES.items()
            if name.startswith(incomplete)
        ]
        return names + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_SUMMARIES.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="fkp")
def cli() -> None:
    """Facial keypoints: labelled faces in, a network out; photos in, keypoints out."""


def _trace(error: Exception) -> None:
    """Print the source of an error, with --verbose."""
    from fkp.cli import console

    if console.is_verbose():
        traceback.print_exception(error)


def _end(text: str, code: int, error: BaseException | None) -> NoReturn:
    """Exit with a line on stderr, followed by the notes on the error."""
    click.echo(f"fkp: {text}", err=True)
    for note in getattr(error, "__notes__", ()):
        click.echo(note, err=True)
    sys.exit(code)


def _stopped(stopped: signals.Stopped, error: BaseException) -> NoReturn:
    """Exit as a signal asks, with what the library noted on the way."""
    lines = [stopped.line]
    link: BaseException | None = error
    while link is not None:
        lines += getattr(link, "__notes__", ())
        link = link.__cause__ or link.__context__
    with suppress(OSError):  # the terminal may be gone
        click.echo("\n".join(dict.fromkeys(lines)), err=True)
    signals.leave(stopped.code)


def main() -> None:
    """Run the command line; exit 0 success, 1 failed, 2 wrong usage, 3 a person is needed."""
    signals.listen()
    # Of a process that was killed: the run continues, or says why not.
    warnings.filterwarnings("ignore", "resource_tracker")
    try:
        sys.exit(_run())
    except BaseException as error:
        stopped = signals.came()
        if stopped is None:
            raise
        _stopped(stopped, error)


def _run() -> int:
    """The exit code of the command, unless it exits by itself."""
    try:
        code = cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort as error:
        if signals.came() is None:
            _end("interrupted", 130, error)
        raise
    except FkpError as error:
        if signals.came() is not None:
            raise
        _trace(error)
        code = 2 if isinstance(error, UsageError) else 1
        if isinstance(error, UndecidedError):
            code = 3
        _end(error.told(lambda setting: setting.option), code, error)
    except OSError as error:
        # A full disk, no permission: for the user to mend. Anything else is a bug.
        if error.errno is None or signals.came() is not None:
            raise
        _trace(error)
        where = f"{error.filename}: " if error.filename else ""
        _end(f"{where}{(error.strerror or 'failed').lower()}", 1, error)
    return code if isinstance(code, int) else 0
