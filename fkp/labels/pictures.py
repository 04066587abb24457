"""Find the pictures of a label table, in the same way for all formats."""

import filecmp
import os
import re
import unicodedata
import urllib.parse
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fkp.errors import LabelError, Setting, parse_json
from fkp.labels.table import LabelTable, ReadOptions
from fkp.vision.images import is_image_name
from fkp.vision.sources import is_video_name

SAMPLE = 200
"""Number of paths that decide in which folder a table's paths start."""

MOST_FILES = 1_000_000
"""Limit for the number of files to search."""

_UPLOADED = re.compile(r"^[0-9a-f]{8}-(.+)$")
"""Label Studio prefixes the names of uploaded files with eight digits."""

_UPLOAD = re.compile(r"(^|/)upload/\d+/[^/]+$")

_IMAGES = Setting("images", "FOLDER", "where the pictures are")

Parts = tuple[str, ...]
Named = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Pictures:
    """The picture files of a table's N rows.

    folder: where `names` start. names: N paths relative to it, None if the file is missing.
    problems: why a row has no file. notes: how paths were matched, unless exactly.
    """

    folder: Path
    names: list[str | None]
    problems: dict[int, str]
    notes: list[str]

    def path(self, i: int) -> Path | None:
        """The file of row i."""
        name = self.names[i]
        return None if name is None else self.folder / name


def find_pictures(table: LabelTable, options: ReadOptions) -> Pictures:
    """The file of each row's picture (or clip).

    Paths are first tried exactly: below `options.images` if given, otherwise below the table's
    folder, its subfolders, the current folder, and the table's parent folders. Backslashes are
    accepted. Missing files are then searched by the last parts of their paths, ignoring case and
    the Unicode form of accents, so that absolute paths from other machines are found. Raises
    LabelError if no picture is found, or if two folders match equally well and neither is the
    table's own.
    """
    assert table.images is not None
    spelled = [_normal(name) for name in table.images]
    distinct = list(dict.fromkeys(spelled))
    roots = _roots(table, options)
    named = is_image_name if table.frames is None else is_video_name
    folder, hits = _best_folder(distinct, roots, named, table.source)
    found = dict(_exact(distinct, folder, named))
    missing = [name for name in distinct if name not in found]
    problems: dict[str, str] = {}
    notes = [] if folder == roots[0] or not hits else [f"pictures from {folder}"]
    if missing:
        tails = _Tails(folder if hits else roots[0], missing, named)
        more, problems = tails.match(set(found.values()))
        if more and not hits:
            folder = roots[0]
        if more:
            first = next(iter(more))
            notes.append(
                f"{len(more)} of {len(distinct)} pictures were found by the last parts of their "
                f"paths: {first} is {folder / more[first]}"
            )
        found |= more
    if not found:
        looked = ", ".join(str(root) for root in roots[:4])
        why = problems.get(missing[0], "file not found")
        raise LabelError(
            f"{table.source} row {table.rows[0]}, column image: {why}: {table.images[0]} "
            f"(looked in {looked})",
            _IMAGES,
        )
    rows = {i: name for i, name in enumerate(spelled) if name not in found}
    return Pictures(
        folder,
        [found.get(name) for name in spelled],
        {i: f"{folder / name}: {problems.get(name, 'no such file')}" for i, name in rows.items()},
        notes,
    )


def _normal(name: str) -> str:
    """A path with forward slashes; of a URL, the path alone."""
    if "://" in name or name.startswith("/data/local-files/?"):
        address = urllib.parse.urlsplit(name)
        query = urllib.parse.parse_qs(address.query).get("d")
        name = query[0] if query else urllib.parse.unquote(address.path.lstrip("/"))
    name = name.strip().replace("\\", "/")
    return os.path.normpath(name).replace(os.sep, "/") if name else name


def _roots(table: LabelTable, options: ReadOptions) -> list[Path]:
    """Folders where paths may start, the most likely first."""
    if options.images is not None:
        given = options.images.resolve()
        return [given if given.is_dir() else given.parent]
    here = table.folder.resolve()
    inside = sorted(p for p in here.iterdir() if p.is_dir() and not p.name.startswith("."))
    ran_in = _annotated_from(here) or _annotated_from(here.parent)
    places = ran_in or (here, *inside, Path.cwd(), *here.parents)
    return list(dict.fromkeys(place.resolve() for place in places))


def _annotated_from(folder: Path) -> tuple[Path, ...]:
    """The folder in which `annotate` was run, according to its `run.json`."""
    try:
        facts = parse_json((folder / "run.json").read_text(encoding="utf-8"))
        ran_in = Path(facts["folder"])
        return (ran_in,) if ran_in.is_dir() else ()
    except (OSError, ValueError, KeyError, TypeError):
        return ()  # not a result folder


def _best_folder(
    names: Sequence[str], roots: Sequence[Path], named: Named, source: str
) -> tuple[Path, int]:
    """The root below which most paths exist exactly, and how many of a sample do."""
    sample = names[:: max(1, len(names) // SAMPLE)]
    hits = [len(list(_exact(sample, root, named))) for root in roots]
    best = [root for root, n in zip(roots, hits, strict=True) if n == max(hits)]
    if max(hits) and len(best) > 1 and best[0] != roots[0]:
        first, _ = next(iter(_exact(sample, best[0], named)))
        places = {
            os.path.realpath(root / n) for root in best for _, n in _exact([first], root, named)
        }
        if len(places) > 1:
            raise LabelError(f"{source}: {first} is in {best[0]} and in {best[1]}", _IMAGES)
    return best[0], max(hits)


def _exact(names: Iterable[str], root: Path, named: Named) -> Iterable[tuple[str, str]]:
    """The paths that exist exactly below a root, each with its name there.

    A path without a suffix stands for the only picture of that name; named: which files count.
    """
    listings: dict[Path, dict[str, list[str]]] = {}
    for name in names:
        path = root / name
        if os.path.isfile(path):
            yield name, _below(root, path)
            continue
        if is_image_name(name) or is_video_name(name):
            continue
        if path.parent not in listings:
            listings[path.parent] = _by_stem(path.parent, named)
        same = listings[path.parent].get(path.name, [])
        if len(same) == 1:
            yield name, _below(root, path.parent / same[0])


def _below(root: Path, path: Path) -> str:
    """A path relative to a root; absolute if it is not below the root."""
    name = os.path.relpath(path, root)
    return str(path) if name.startswith("..") else Path(name).as_posix()


def _by_stem(folder: Path, named: Named) -> dict[str, list[str]]:
    """The files in a folder by their names without the suffix."""
    stems: dict[str, list[str]] = defaultdict(list)
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return stems
    for name in names:
        if named(name):
            stems[Path(name).stem].append(name)
    return stems


class _Tails:
    """Files below a folder, searched by the last parts of paths."""

    def __init__(self, root: Path, wanted: Sequence[str], named: Named) -> None:
        self.root, self.wanted = root, wanted
        self._files: dict[str, list[Parts]] = defaultdict(list)
        keys = {key for name in wanted for key in _keys(name)}
        seen = 0
        for parent, folders, files in os.walk(root):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            seen += len(files)
            if seen > MOST_FILES:
                break
            for file in sorted(files):
                whole, stem = _key(file), _key(Path(file).stem)
                for key in {whole, stem if named(file) else whole} & keys:
                    self._files[key].append(Path(parent, file).relative_to(root).parts)

    def match(self, taken: set[str]) -> tuple[dict[str, str], dict[str, str]]:
        """The files of the wanted paths, relative to the root, and why some have none.

        taken: files that matched other paths exactly.
        """
        possible = {name: self._candidates(name) for name in self.wanted}
        votes = Counter(p for found in possible.values() for p in {c.prefixes for c in found})
        usual, most = votes.most_common(1)[0] if votes else (("", ""), 0)
        moved = not taken and most > len(self.wanted) / 2
        chosen: dict[str, str] = {}
        problems: dict[str, str] = {}
        for name, found in possible.items():
            # If both paths have further leading parts, they are different folders, perhaps of
            # different persons, unless most paths moved in the same way with their folders.
            files = {
                c.file for c in found
                if not all(c.prefixes) or (moved and c.same > 1 and c.prefixes == usual)
            }  # fmt: skip
            first = min(files, key=lambda file: (file.count("/"), file), default="")
            if files and all(self._same(first, file) for file in files):
                chosen[name] = first
            elif files:
                problems[name] = f"it may be {min(files)} or {max(files)}"
        owners = Counter(chosen.values())
        for name, file in list(chosen.items()):
            if owners[file] > 1 or file in taken:
                problems[name] = f"{file} also matches another path"
                del chosen[name]
        return chosen, problems

    def _same(self, one: str, other: str) -> bool:
        """Whether two files have the same content."""
        return one == other or filecmp.cmp(self.root / one, self.root / other, shallow=False)

    def _candidates(self, name: str) -> list["_Candidate"]:
        """The files that share the most trailing parts with a path."""
        wanted = _split(name)
        if _UPLOAD.search(name):
            wanted = wanted[-1:]  # the folders are the server's
        best: list[_Candidate] = []
        longest = 0
        for parts in dict.fromkeys(f for key in _keys(name) for f in self._files.get(key, [])):
            whole = (*self.root.parts, *parts)
            # The file names are known to match.
            same = 1 + _common_end(wanted[:-1], [_key(part) for part in whole[:-1]])
            if same < longest:
                continue
            if same > longest:
                best, longest = [], same
            rest = "/".join(wanted[: len(wanted) - same])
            own = "/".join(parts[: max(0, len(parts) - same)])
            best.append(_Candidate("/".join(parts), same, (rest, own)))
        return best


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A file that may be meant. same: the number of trailing parts that match; prefixes: the
    remaining leading parts of the path and of the file.
    """

    file: str
    same: int
    prefixes: tuple[str, str]


def _key(part: str) -> str:
    """A part of a path, with case and Unicode form normalised."""
    return unicodedata.normalize("NFC", part).casefold()


def _split(name: str) -> list[str]:
    return [_key(part) for part in PurePosixPath(name).parts if part not in ("/", ".")]


def _keys(name: str) -> list[str]:
    """The names that the file of a path may have."""
    last = PurePosixPath(name).name
    uploaded = _UPLOADED.match(last)
    return [_key(last), *([_key(uploaded[1])] if uploaded else [])]


def _common_end(a: Sequence[str], b: Sequence[str]) -> int:
    count = 0
    for x, y in zip(reversed(a), reversed(b), strict=False):
        if x != y:
            break
        count += 1
    return count
