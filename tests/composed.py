"""Clips composed of known faces on known paths, and how well tracks follow them."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from fkp.annotate.outcome import Annotated
from fkp.annotate.output.rows import Record

Picture = npt.NDArray[np.uint8]
SIZE = (640, 360)
RATE = 25

KINDS = (
    "crossing", "hiding", "cuts", "zoom", "crowd", "swap", "relief", "flash", "card", "again",
)  # fmt: skip


@dataclass(frozen=True)
class Sprite:
    """A head to paste. image: (H, W, 3) BGR; alpha: (H, W) 0..1; side: of the face's box in it."""

    image: Picture
    alpha: npt.NDArray[np.float32]
    side: float

    @classmethod
    def of(cls, picture: Picture, box: Sequence[float]) -> "Sprite":
        """The head around a face box (x, y, w, h)."""
        x, y, w, h = box
        half = 0.85 * np.sqrt(w * h)
        size = round(2 * half)
        middle = (x + w / 2, y + 0.45 * h)
        image = cv2.getRectSubPix(picture, (size, size), middle)
        v, u = (np.mgrid[:size, :size] + 0.5 - half) / half
        away = np.hypot(u / 0.8, v / 0.98)
        alpha = np.clip((1 - away) / 0.12, 0, 1).astype(np.float32)
        return cls(np.asarray(image, np.uint8), alpha, float(np.sqrt(w * h)))


@dataclass(frozen=True)
class Walk:
    """Where a sprite is at each frame. places: (T, 2) centres; sides: (T,) of its face, pixels;
    NaN where it is not there. who: its identity.
    """

    who: int
    sprite: Sprite
    places: npt.NDArray[np.float64]
    sides: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Seen:
    """A face that is truly there. share: of it that nothing hides."""

    who: int
    x: float
    y: float
    side: float
    share: float


Truth = list[list[Seen]]


def paste(canvas: Picture, owner: npt.NDArray[np.int16], walk: Walk, at: int, index: int) -> None:
    """Put a sprite into a frame; owner: (H, W) which sprite each pixel shows."""
    side, (x, y) = walk.sides[at], walk.places[at]
    if not np.isfinite(x):
        return
    scale = side / walk.sprite.side
    half = scale * walk.sprite.alpha.shape[0] / 2
    turn = np.array([[scale, 0, x - half], [0, scale, y - half]])
    height, width = canvas.shape[:2]
    image = cv2.warpAffine(walk.sprite.image, turn, (width, height), flags=cv2.INTER_AREA)
    alpha = cv2.warpAffine(walk.sprite.alpha, turn, (width, height))
    canvas[:] = np.rint(canvas + alpha[..., None] * (image.astype(np.float32) - canvas))
    owner[alpha > 0.5] = index


def render(
    path: Path,
    backgrounds: Sequence[Picture],
    walks: Sequence[Walk],
    posts: Iterable[tuple[int, int]] = (),
    cuts: Sequence[int] = (),
    fixed: int = 0,
    over: Callable[[Picture, int], Picture] | None = None,
) -> Truth:
    """Write a clip; later walks are in front.

    posts: (left, right) columns that hide what is behind. cuts: frames at which another background
    begins. over: changes the picture of each frame in the end.
    """
    width, height = SIZE
    rng = np.random.default_rng(fixed)
    truth: Truth = []
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=RATE, options={"crf": "23", "preset": "veryfast"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for at in range(len(walks[0].sides)):
            scene = sum(at >= cut for cut in cuts)
            canvas = backgrounds[scene % len(backgrounds)].copy()
            owner = np.full((height, width), -1, np.int16)
            for index, walk in enumerate(walks):
                paste(canvas, owner, walk, at, index)
            for left, right in posts:
                canvas[:, left:right] = backgrounds[-1][:, left:right] // 2 + 20
                owner[:, left:right] = -2
            truth.append(
                [
                    _seen(walk, at, i, owner)
                    for i, walk in enumerate(walks)
                    if np.isfinite(walk.places[at, 0])
                ]
            )
            noisy = np.clip(canvas + rng.normal(0, 2, canvas.shape), 0, 255).astype(np.uint8)
            picture = noisy if over is None else over(noisy, at)
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return truth


def _seen(walk: Walk, at: int, index: int, owner: npt.NDArray[np.int16]) -> Seen:
    (x, y), side = walk.places[at], walk.sides[at]
    v, u = np.mgrid[: owner.shape[0], : owner.shape[1]]
    inside = np.hypot(u - x, v - y) < 0.5 * side
    whole = np.pi * (0.5 * side) ** 2
    share = float((inside & (owner == index)).sum() / whole)
    return Seen(walk.who, x, y, side, share)


def _line(
    count: int, start: tuple[float, float], end: tuple[float, float], rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """A path (T, 2) from here to there, swaying a little as heads do."""
    t = np.linspace(0, 1, count)[:, None]
    sway = 4 * np.sin(2 * np.pi * (t * rng.uniform(1, 3, 2) + rng.uniform(0, 1, 2)))
    return np.asarray(np.array(start) + t * (np.array(end) - np.array(start)) + sway)


def compose(
    kind: str, path: Path, sprites: Sequence[Sprite], backgrounds: Sequence[Picture], seed: int
) -> Truth:
    """A clip of one of KINDS."""
    rng = np.random.default_rng(seed)
    ready = [cv2.resize(b, SIZE, interpolation=cv2.INTER_AREA) for b in backgrounds]
    return _COMPOSERS[kind](path, sprites, [np.asarray(b, np.uint8) for b in ready], rng)


def _crossing(
    path: Path, sprites: Sequence[Sprite], backgrounds: Sequence[Picture], rng: np.random.Generator
) -> Truth:
    count = int(rng.integers(75, 125))
    a, b = rng.uniform(80, 110, 2)
    y = rng.uniform(150, 210)
    walks = [
        Walk(0, sprites[0], _line(count, (90, y), (550, y + rng.uniform(-30, 30)), rng),
             np.full(count, a)),
        Walk(1, sprites[1], _line(count, (550, y), (90, y + rng.uniform(-30, 30)), rng),
             np.full(count, b)),
    ]  # fmt: skip
    return render(path, backgrounds, walks, fixed=int(rng.integers(1000)))


def _hiding(
    path: Path, sprites: Sequence[Sprite], backgrounds: Sequence[Picture], rng: np.random.Generator
) -> Truth:
    side = rng.uniform(70, 100)
    speed = rng.uniform(4, 7)  # pixels a frame
    # Behind the post all of the head is out of sight for up to three quarters of a second.
    wide = int(1.0 * side + speed * RATE * rng.uniform(0.2, 0.5))
    left = int(rng.uniform(230, 280))
    count = int(460 / speed)
    still = rng.uniform(70, 90)
    walks = [
        Walk(0, sprites[0], _line(count, (80, 220), (80 + 460, 220), rng), np.full(count, side)),
        Walk(1, sprites[1], _line(count, (110, 80), (140, 80), rng), np.full(count, still)),
    ]
    return render(path, backgrounds, walks, [(left, left + wide)], fixed=int(rng.integers(1000)))


def _cuts(
    path: Path, sprites: Sequence[Sprite], backgrounds: Sequence[Picture], rng: np.random.Generator
) -> Truth:
    counts = rng.integers(25, 50, 3)
    ends = np.cumsum(counts)
    walks = []
    for i, (start, end) in enumerate(zip(ends - counts, ends, strict=True)):
        places = np.full((ends[-1], 2), np.nan)
        sides = np.full(ends[-1], rng.uniform(80, 120))
        x, y = rng.uniform(150, 490), rng.uniform(130, 220)
        to = (x + rng.uniform(-60, 60), y + rng.uniform(-30, 30))
        places[start:end] = _line(end - start, (x, y), to, rng)
        walks.append(Walk(i, sprites[i % len(sprites)], places, sides))
    return render(path, backgrounds, walks, cuts=list(ends[:-1]), fixed=int(rng.integers(1000)))


def _zoom(
    path: Path, sprites: Sequence[Sprite], backgrounds: Sequence[Picture], rng: np.random.Generator
) -> Truth:
    count = 75
    grow = np.exp(np.linspace(0, np.log(rng.uniform(2.5, 3.2)), count))
    if rng.random() < 0.5:
        grow = grow[::-1]
    walks = []
    for i, at in enumerate([np.array([-60.0, -5.0]), np.array([60.0, 5.0])]):
        places = at + _line(count, (0, 0), (0, 0), rng) / 4
        middle = np.array(SIZE) / 2
        walks.append(
            Walk(i, sprites[i], middle + grow[:, None] * places, rng.uniform(42, 50) * grow)
        )
    return render(path, backgrounds, walks, fixed=int(rng.integers(1000)))


def _crowd(
    path: Path, sprites: Sequence[Sprite], backgrounds: Sequence[Picture], rng: np.random.Generator
) -> Truth:
    count = 75
    walks = []
    for i in range(6):
        start = np.array([90 + 230 * (i % 3), 90 + 170 * (i // 3)]) + rng.uniform(-10, 10, 2)
        end = start + rng.uniform(-45, 45, 2)
        sides = np.full(count, rng.uniform(60, 85))
        walks.append(Walk(i, sprites[i], _line(count, tuple(start), tuple(end), rng), sides))
    return render(path, backgrounds, walks, fixed=int(rng.integers(1000)))


def _tiles(
    who: Sequence[Sequence[int | None]], sprites: Sequence[Sprite], rng: np.random.Generator
) -> list[Walk]:
    """Heads in the quarters of a call. who: which sprite is in each tile, by frame."""
    walks = []
    sides = rng.uniform(60, 80, len(sprites))
    for person in sorted({p for tiles in who for p in tiles if p is not None}):
        sway = _line(len(who), (0, 0), (0, 0), rng)
        places = np.full((len(who), 2), np.nan)
        for at, tiles in enumerate(who):
            for tile, there in enumerate(tiles):
                if there == person:
                    places[at] = sway[at] + (160 + 320 * (tile % 2), 95 + 180 * (tile // 2))
        walks.append(Walk(person, sprites[person], places, np.full(len(who), sides[person])))
    return walks


def _swap(
    path: Path, sprites: Sequence[Sprite], backgrounds: Sequence[Picture], rng: np.random.Generator
) -> Truth:
    """Four persons in tiles; from some frame on two of them have each other's."""
    count, at = 60, int(rng.integers(20, 40))
    a, b = rng.permutation(4)[:2]
    before = list(range(4))
    after = [{a: b, b: a}.get(tile, tile) for tile in before]
    who = [before if i < at else after for i in range(count)]
    return render(path, backgrounds, _tiles(who, sprites, rng), fixed=int(rng.integers(1000)))


def _relief(
    path: Path, sprites: Sequence[Sprite], backgrounds: Sequence[Picture], rng: np.random.Generator
) -> Truth:
    """Two persons in tiles; from some frame on a third one has the place of one of them, at once or
    after half a second.
    """
    count, at = 75, int(rng.integers(25, 45))
    gap = int(rng.choice([0, 0, 12]))
    tile = int(rng.integers(2))
    who: list[list[int | None]] = [[0, 1] for _ in range(count)]
    for i in range(at, count):
        who[i][tile] = None if i < at + gap else 2
    return render(path, backgrounds, _tiles(who, sprites, rng), fixed=int(rng.integers(1000)))


def _flash(
    path: Path, sprites: Sequence[Sprite], backgrounds: Sequence[Picture], rng: np.random.Generator
) -> Truth:
    """Two persons, and some flashes of a camera."""
    starts = np.array([12, 30, 48]) + rng.integers(0, 12, 3)
    light = {start + i: strong for start in starts for i, strong in enumerate((1.0, 0.6, 0.2))}
    gain, lift = rng.uniform(1.5, 3), rng.uniform(20, 120)

    def over(picture: Picture, at: int) -> Picture:
        strong = light.get(at, 0.0)
        lit = picture * (1 + strong * (gain - 1)) + strong * lift
        return np.asarray(np.clip(lit, 0, 255), np.uint8)

    walks = _tiles([[0, 1] for _ in range(75)], sprites, rng)
    return render(path, backgrounds, walks, fixed=int(rng.integers(1000)), over=over)


def _card(
    path: Path, sprites: Sequence[Sprite], backgrounds: Sequence[Picture], rng: np.random.Generator
) -> Truth:
    """Two persons, and a white card that moves past below them, fast."""
    count, width = 60, int(rng.uniform(200, 420))
    top, begin = int(rng.uniform(140, 200)), int(rng.integers(15, 30))
    speed = rng.uniform(40, 160)

    def over(picture: Picture, at: int) -> Picture:
        left = round(-width + speed * (at - begin))
        if at >= begin and left < SIZE[0]:
            picture[top:, max(left, 0) : max(left + width, 0)] = 250
        return picture

    walks = _tiles([[0, 1] for _ in range(count)], sprites, rng)
    return render(path, backgrounds, walks, fixed=int(rng.integers(1000)), over=over)


def _again(
    path: Path, sprites: Sequence[Sprite], backgrounds: Sequence[Picture], rng: np.random.Generator
) -> Truth:
    """Two persons; a short insert of another scene with a third one; the two as before."""
    count, at = 75, int(rng.integers(25, 40))
    insert = int(rng.integers(8, 25))
    who: list[list[int | None]] = [[0, 1] for _ in range(count)]
    for i in range(at, at + insert):
        who[i] = [None, None, 2, None]
    walks = _tiles(who, sprites, rng)
    cuts = [at, at + insert]
    own = [backgrounds[0], backgrounds[1], backgrounds[0], *backgrounds[3:]]
    return render(path, own, walks, cuts=cuts, fixed=int(rng.integers(1000)))


_COMPOSERS: dict[str, Callable[..., Truth]] = {
    "crossing": _crossing,
    "hiding": _hiding,
    "cuts": _cuts,
    "zoom": _zoom,
    "crowd": _crowd,
    "swap": _swap,
    "relief": _relief,
    "flash": _flash,
    "card": _card,
    "again": _again,
}


@dataclass(frozen=True)
class Following:
    """How well tracks follow. idf1: of identities (Ristani et al., 2016); switches: how often a
    true face changes its number; missed: share of the faces in sight without a track.
    """

    idf1: float
    switches: int
    missed: float


PLAIN = 0.6
"""Faces of which less is in sight may be found or not."""


def compare(truth: Truth, records: Iterable[Record]) -> Following:
    """Compare the rows of a clip with what is in it."""
    agree: dict[tuple[int, int], int] = defaultdict(int)
    last: dict[int, int] = {}
    true = said = switches = missed = 0
    for there, (_, result) in zip(truth, records, strict=True):
        assert isinstance(result, Annotated)
        boxes = result.faces.boxes.astype(float)
        centres = boxes[:, :2] + boxes[:, 2:] / 2
        cost = np.array([[np.hypot(*(c - (s.x, s.y))) / s.side for c in centres] for s in there])
        cost = cost.reshape(len(there), len(centres))
        pairs = {int(i): int(j) for i, j in zip(*linear_sum_assignment(cost), strict=True)
                 if cost[i, j] < 0.5}  # fmt: skip
        for i, seen in enumerate(there):
            plain = seen.share >= PLAIN
            true += plain
            missed += plain and i not in pairs
            if i in pairs and plain:
                number = result.number(pairs[i])
                agree[seen.who, number] += 1
                switches += last.setdefault(seen.who, number) != number
                last[seen.who] = number
        doubtful = sum(there[i].share < PLAIN for i in pairs)
        said += len(centres) - doubtful
    who, numbers = sorted({w for w, _ in agree}), sorted({n for _, n in agree})
    table = np.array([[agree.get((w, n), 0) for n in numbers] for w in who])
    best = table[linear_sum_assignment(-table)].sum() if table.size else 0
    return Following(2 * best / max(true + said, 1), switches, missed / max(true, 1))
