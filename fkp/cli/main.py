"""`fkp`: the group of commands, and what becomes of errors."""

import importlib
import signal
import sys
import traceback
from types import FrameType

import click
from click.shell_completion import CompletionItem

from fkp import __version__
from fkp.errors import FkpError, UndecidedError

_SUMMARIES = {
    "prepare": "Turn labelled tables into one checked data set.",
    "train": "Train a keypoint network on a data set.",
    "evaluate": "Measure a network's errors on a data set.",
    "audit": "Find labels that are probably wrong.",
    "predict": "Write a network's points for the rows of a data set.",
    "annotate": "Find faces and keypoints in pictures.",
    "video": "Find faces and keypoints in clips, frame by frame.",
    "merge": "Join the results of several shards of annotate.",
    "convert": "Write labels in the form of another tool.",
    "export": "Write a network for other runtimes.",
    "info": "Say what a network or a table is.",
    "doctor": "Say what is installed here, and how fast it is.",
}
COMMANDS = tuple(_SUMMARIES)


class LazyGroup(click.Group):
    """Imports a command when it is called, so that `fkp --help` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = getattr(importlib.import_module(f"fkp.cli.{cmd_name}"), f"{cmd_name}_command")
        if not isinstance(command, click.Command):
            raise TypeError(f"fkp.cli.{cmd_name} has no command")
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        # Without importing every command, as click would.
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


class Terminated(KeyboardInterrupt):
    """SIGTERM came: to be taken as Ctrl-C is."""


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated


def _trace(error: Exception) -> None:
    """With --verbose, where an error came from."""
    from fkp.cli import console

    if console.is_verbose():
        traceback.print_exception(error)


def main() -> None:
    """Run the command line; exit 0 all well, 1 failed, 2 wrong usage, 3 a person is needed."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        code = cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt) as error:
        terminated = isinstance(error.__cause__, Terminated)
        click.echo("fkp: terminated" if terminated else "fkp: interrupted", err=True)
        sys.exit(143 if terminated else 130)
    except FkpError as error:
        _trace(error)
        click.echo(f"fkp: {error.told(lambda setting: setting.option)}", err=True)
        sys.exit(3 if isinstance(error, UndecidedError) else 1)
    except OSError as error:
        # A full disk, no permission: the user's to mend. Anything else is a bug.
        if error.errno is None:
            raise
        _trace(error)
        where = f"{error.filename}: " if error.filename else ""
        click.echo(f"fkp: {where}{(error.strerror or 'failed').lower()}", err=True)
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)
