"""Searching folders for inputs: each folder once, with a record of what was skipped."""

import os
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fkp.annotate.names import written_by_fkp

SHOWN = 3
"""Paths named in a note."""

Identity = tuple[int, int]
"""Device and inode of a folder, which are the same for all its paths."""


@dataclass(slots=True)
class Search:
    """Searches folders, except `exclude` and hidden ones.

    linked: links to folders that were followed; known: links not followed because their folders
    were already searched. own: fkp's own output. unlisted: folders that cannot be listed, with the
    reason.
    """

    exclude: Path | None = None
    linked: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    own: list[str] = field(default_factory=list)
    unlisted: list[tuple[str, str]] = field(default_factory=list)

    def folders(self, root: str) -> Iterator[tuple[str, list[str]]]:
        """A folder and all its subfolders, sorted, each with the sorted names of its files.

        Links to folders come last, and each folder is visited once, so a link to a parent folder
        does not loop.
        """
        seen: set[Identity] = set()
        links = yield from self._below(root, seen)
        while links:
            link = links.pop(0)
            if _identity(link) in seen or self._excluded(os.path.realpath(link)):
                self.known.append(link)
            else:
                self.linked.append(link)
                links += yield from self._below(link, seen)

    def _below(
        self, root: str, seen: set[Identity]
    ) -> Generator[tuple[str, list[str]], None, list[str]]:
        """Yield the folders reached without following links; returns the links to folders."""
        links: list[str] = []
        for parent, folders, files in os.walk(root, onerror=self._unlisted):
            seen.add(_identity(parent))
            own = written_by_fkp(parent, {*folders, *files})
            self.own += sorted(os.path.join(parent, name) for name in own)
            kept = []
            for name in sorted(folders):
                path = os.path.join(parent, name)
                if name.startswith(".") or name in own or self._excluded(os.path.abspath(path)):
                    continue
                if os.path.islink(path):
                    links.append(path)
                elif _identity(path) not in seen:
                    kept.append(name)
            folders[:] = kept
            yield parent, sorted(name for name in files if name not in own)
        return links

    def _excluded(self, path: str) -> bool:
        if self.exclude is None:
            return False
        barred = os.path.abspath(self.exclude)
        return path in (barred, os.path.realpath(barred))

    def _unlisted(self, error: OSError) -> None:
        reason = (error.strerror or "cannot be listed").lower()
        self.unlisted.append((os.fsdecode(error.filename), reason))

    @property
    def notes(self) -> list[str]:
        """Notes on links that were followed and on what was skipped."""
        told = (
            ("followed {} to folders: {}", "link", self.linked),
            ("did not follow {} to folders that are searched already: {}", "link", self.known),
            ("skipped {} that fkp wrote: {}", "file or folder", self.own),
            ("{} cannot be listed: {}", "folder", [f"{p} ({why})" for p, why in self.unlisted]),
        )
        return [
            text.format(_count(what, paths), _list(paths)) for text, what, paths in told if paths
        ]


def _identity(folder: str) -> Identity:
    try:
        found = os.stat(folder)
    except OSError:
        return (-1, -1)
    return found.st_dev, found.st_ino


def _count(what: str, paths: Sequence[str]) -> str:
    if len(paths) == 1:
        return f"1 {what}"
    return f"{len(paths)} " + " or ".join(f"{word}s" for word in what.split(" or "))


def _list(paths: Sequence[str]) -> str:
    return ", ".join(paths[:SHOWN]) + (", ..." if len(paths) > SHOWN else "")
