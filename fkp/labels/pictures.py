"""Where the pictures of a label table are: one way for all formats."""

import os
import re
import unicodedata
import urllib.parse
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fkp.errors import LabelError, Setting, parse_json
from fkp.labels.table import LabelTable, ReadOptions
from fkp.vision.images import is_image_name
from fkp.vision.sources import is_video_name

SAMPLE = 200
"""So many paths of a table decide in which folder they start."""

MOST_FILES = 1_000_000
"""No more files below a folder are looked at."""

_UPLOADED = re.compile(r"^[0-9a-f]{8}-(.+)$")
"""Label Studio puts eight digits before the names of uploaded files."""

_UPLOAD = re.compile(r"(^|/)upload/\d+/[^/]+$")

_IMAGES = Setting("images", "FOLDER", "where the pictures are")

Parts = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pictures:
    """The picture files of a table's N rows.

    folder: where `names` start. names: N paths from there, None where the file is missing.
    problems: for rows without a file, why. notes: how paths were matched, where not as they are.
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

    Paths are tried as they are, below `options.images` or, without that, below the table's folder,
    those in it, the current one, and those above. Back slashes are understood. What is not there
    is looked for by the ends of the paths, whatever the case of letters and the form of their
    accents: absolute paths of other machines are found below the folder when their last parts are
    there. Raises LabelError where no picture is found, or two folders fit
    alike, neither of which is the table's own.
    """
    assert table.images is not None
    spelled = [_normal(name) for name in table.images]
    distinct = list(dict.fromkeys(spelled))
    roots = _roots(table, options)
    folder, hits = _best_folder(distinct, roots, table)
    found = dict(_as_they_are(distinct, folder))
    missing = [name for name in distinct if name not in found]
    problems: dict[str, str] = {}
    notes = [] if folder == roots[0] or not hits else [f"pictures from {folder}"]
    if missing:
        # Without a folder in which paths are right as they are: the one that was said.
        tails = _Tails(roots[0] if not hits else folder, missing)
        more, problems = tails.match(set(found.values()))
        if more and not hits:
            folder = roots[0]
        if more:
            first = next(iter(more))
            notes.append(
                f"{len(more)} of {len(distinct)} pictures were found by the ends of their paths: "
                f"{first} is {folder / more[first]}"
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
    """A path with slashes, without what only an address has."""
    if "://" in name or name.startswith("/data/local-files/?"):
        address = urllib.parse.urlsplit(name)
        query = urllib.parse.parse_qs(address.query).get("d")
        name = query[0] if query else urllib.parse.unquote(address.path.lstrip("/"))
    name = name.strip().replace("\\", "/")
    return os.path.normpath(name).replace(os.sep, "/") if name else name


def _roots(table: LabelTable, options: ReadOptions) -> list[Path]:
    """Where paths may start, the likeliest first."""
    if options.images is not None:
        given = options.images.resolve()
        return [given if given.is_dir() else given.parent]
    here = table.folder.resolve()
    inside = sorted(p for p in here.iterdir() if p.is_dir() and not p.name.startswith("."))
    ran_in = _annotated_from(here) or _annotated_from(here.parent)
    places = ran_in or (here, *inside, Path.cwd(), *here.parents)
    return list(dict.fromkeys(place.resolve() for place in places))


def _annotated_from(folder: Path) -> tuple[Path, ...]:
    """The folder in which `fkp annotate` ran, from the `run.json` beside its table."""
    try:
        facts = parse_json((folder / "run.json").read_text(encoding="utf-8"))
        ran_in = Path(facts["folder"])
        return (ran_in,) if ran_in.is_dir() else ()
    except (OSError, ValueError, KeyError, TypeError):
        return ()  # not a result folder; the other places remain


def _best_folder(
    names: Sequence[str], roots: Sequence[Path], table: LabelTable
) -> tuple[Path, int]:
    """The root below which most of the paths are files as they are, and how many of a sample."""
    sample = names[:: max(1, len(names) // SAMPLE)]
    hits = [len(list(_as_they_are(sample, root))) for root in roots]
    best = [root for root, n in zip(roots, hits, strict=True) if n == max(hits)]
    if max(hits) and len(best) > 1 and best[0] != roots[0]:
        first, _ = next(iter(_as_they_are(sample, best[0])))
        places = {
            os.path.realpath(root / n) for root in best for _, n in _as_they_are([first], root)
        }
        if len(places) > 1:
            raise LabelError(f"{table.source}: {first} is in {best[0]} and in {best[1]}", _IMAGES)
    return best[0], max(hits)


def _as_they_are(names: Iterable[str], root: Path) -> Iterable[tuple[str, str]]:
    """The paths that are files below a root, each with its name there."""
    listings: dict[Path, dict[str, list[str]]] = {}
    for name in names:
        path = root / name
        if os.path.isfile(path):
            yield name, _below(root, path)
            continue
        if is_image_name(name) or is_video_name(name):
            continue
        if path.parent not in listings:
            listings[path.parent] = _by_stem(path.parent)
        same = listings[path.parent].get(path.name, [])
        if len(same) == 1:
            yield name, _below(root, path.parent / same[0])


def _below(root: Path, path: Path) -> str:
    """A path from a root; whole where it is not below."""
    name = os.path.relpath(path, root)
    return str(path) if name.startswith("..") else Path(name).as_posix()


def _by_stem(folder: Path) -> dict[str, list[str]]:
    """The pictures in a folder by their names without the suffix."""
    stems: dict[str, list[str]] = defaultdict(list)
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return stems
    for name in names:
        if is_image_name(name):
            stems[Path(name).stem].append(name)
    return stems


class _Tails:
    """Files below a folder, to be found by the ends of paths."""

    def __init__(self, root: Path, wanted: Sequence[str]) -> None:
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
                for key in {whole, stem if is_image_name(file) else whole} & keys:
                    self._files[key].append(Path(parent, file).relative_to(root).parts)

    def match(self, taken: set[str]) -> tuple[dict[str, str], dict[str, str]]:
        """Files for the wanted paths, from the root, and why some have none.

        taken: files of the paths that are right as they are.
        """
        possible = {name: self._candidates(name) for name in self.wanted}
        votes = Counter(p for found in possible.values() for p in {c.prefixes for c in found})
        usual, most = votes.most_common(1)[0] if votes else (("", ""), 0)
        moved = not taken and most > len(self.wanted) / 2
        chosen: dict[str, str] = {}
        problems: dict[str, str] = {}
        for name, found in possible.items():
            # If both paths have more parts in front, these are two folders, perhaps of two persons:
            # the same one only where nearly all paths moved so, with the folders below it.
            files = {
                c.file for c in found
                if not all(c.prefixes) or (moved and c.same > 1 and c.prefixes == usual)
            }  # fmt: skip
            if len(files) == 1:
                chosen[name] = files.pop()
            elif files:
                problems[name] = " or ".join(["it may be " + min(files), max(files)])
        owners = Counter(chosen.values())
        for name, file in list(chosen.items()):
            if owners[file] > 1 or file in taken:
                problems[name] = f"{file} is the picture of another path, too"
                del chosen[name]
        return chosen, problems

    def _candidates(self, name: str) -> list["_Candidate"]:
        """Files with the longest common end."""
        wanted = _split(name)
        if _UPLOAD.search(name):
            wanted = wanted[-1:]  # its folders are the server's
        best: list[_Candidate] = []
        longest = 0
        for parts in dict.fromkeys(f for key in _keys(name) for f in self._files.get(key, [])):
            whole = (*self.root.parts, *parts)
            # The file itself is known to be the same.
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
    """A file that a path may mean: how many parts at their ends are the same, and what is left in
    front of these, of the path and of the file.
    """

    file: str
    same: int
    prefixes: tuple[str, str]


def _key(part: str) -> str:
    """Part of a path, whatever the case of its letters and the form of its accents."""
    return unicodedata.normalize("NFC", part).casefold()


def _split(name: str) -> list[str]:
    return [_key(part) for part in PurePosixPath(name).parts if part not in ("/", ".")]


def _keys(name: str) -> list[str]:
    """What a file of this path may be called."""
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
