"""Faces of clips where they are not found."""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from fkp.annotate.hide.config import HideConfig
from fkp.annotate.hide.corrections import Correction
from fkp.annotate.hide.plan import CLEAR, HIDDEN, IGNORED, Plan
from fkp.annotate.hide.tracks import Footage, Tracer
from fkp.annotate.outcome import Annotated, Moment
from fkp.annotate.output.rows import Record
from fkp.annotate.video.reading import Shot
from fkp.keypoints import KAGGLE15, Faces
from fkp.vision.canvas import Canvas
from fkp.vision.covering import covered
from fkp.vision.frames import Frame
from fkp.vision.process import settle

WIDTH, HEIGHT, SIDE = 240, 160, 40

settle()


def place(i: int) -> tuple[float, float]:
    """Where the face is in a frame."""
    return 20.0 + 2 * i, 50.0 + i / 2


def picture(i: int, seed: int = 0) -> np.ndarray:
    texture = np.random.default_rng(seed).integers(0, 255, (10, 10)).astype(np.uint8)
    square = cv2.resize(texture, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    ground = np.random.default_rng(7).integers(90, 120, (HEIGHT, WIDTH)).astype(np.uint8)
    x, y = place(i)
    turn = np.array([[1, 0, x], [0, 1, y]])
    return np.asarray(
        cv2.warpAffine(
            square, turn, (WIDTH, HEIGHT), dst=ground, borderMode=cv2.BORDER_TRANSPARENT
        ),
        np.uint8,
    )


def shots(count: int, cuts: Sequence[int] = ()) -> Iterator[Shot]:
    canvas = Canvas((WIDTH, HEIGHT), (WIDTH, HEIGHT))
    for i in range(count):
        scene = sum(i >= cut for cut in cuts)
        frame = Frame(i, i, i / 25, i / 25, "", None)
        fit = canvas.fit((WIDTH, HEIGHT))
        yield Shot(frame, picture(i, scene), i in (0, *cuts), None, fit, i)


def records(count: int, scores: dict[int, float]) -> list[Record]:
    """A clip with a face of these scores by frame, number 4."""
    found: list[Record] = []
    for i in range(count):
        moment = Moment(i, i / 25, i / 25)
        faces = Faces.empty(KAGGLE15)
        if i in scores:
            points = np.full((1, 15, 2), np.nan, np.float32)
            box = np.array([[*place(i), SIDE, SIDE]], np.float32)
            score = np.array([scores[i]], np.float32)
            faces = Faces(KAGGLE15, box, score, points, np.full((1, 15), np.nan, np.float32))
        result = Annotated(faces, WIDTH, HEIGHT, "", moment, (4,) * len(faces), ())
        found.append(("clip.mp4", result))
    return found


def traced(count: int, scores: dict[int, float], cuts: Sequence[int] = ()) -> Footage:
    footage = Footage.of(records(count, scores))
    Tracer(footage, list(footage.tracks.values())).trace(shots(count, cuts))
    return footage


def sources(footage: Footage) -> list[str]:
    spots = footage.tracks[4].spots
    return [spots[i].source.value if i in spots else "" for i in range(len(footage.times))]


def misses(footage: Footage) -> float:
    """How far the face is outside the covered boxes at most, of its side."""
    worst = 0.0
    for i, spot in footage.tracks[4].spots.items():
        corner = np.array(place(i))
        out = np.maximum(spot.box[:2] - corner, corner + SIDE - spot.box[:2] - spot.box[2:])
        worst = max(worst, float(out.max()) / SIDE)
    return worst


def test_a_short_gap_is_interpolated() -> None:
    footage = traced(30, {i: 0.9 for i in range(30) if not 10 <= i < 20})
    assert sources(footage) == ["seen"] * 10 + ["between"] * 10 + ["seen"] * 10
    assert misses(footage) < 0.02


def test_a_face_is_followed_backwards_and_forwards() -> None:
    footage = traced(60, dict.fromkeys(range(25, 35), 0.9))
    assert sources(footage) == ["followed"] * 25 + ["seen"] * 10 + ["followed"] * 25
    assert misses(footage) < 0.1


def test_a_long_gap_is_followed_from_both_ends() -> None:
    footage = traced(70, dict.fromkeys((*range(10), *range(60, 70)), 0.9))
    assert set(sources(footage)[10:60]) == {"followed"}
    assert misses(footage) < 0.1


def test_nothing_is_covered_across_a_cut() -> None:
    footage = traced(40, dict.fromkeys(range(18, 22), 0.9), cuts=[15, 25])
    assert (
        sources(footage)
        == [""] * 15 + ["followed"] * 3 + ["seen"] * 4 + ["followed"] * 3 + [""] * 15
    )


def test_where_it_was_stays_covered_when_it_is_gone() -> None:
    """Without texture there is nothing to follow: only the place is held."""
    footage = Footage.of(records(30, dict.fromkeys(range(10, 20), 0.9)))
    plain = np.full((HEIGHT, WIDTH), 100, np.uint8)
    blank = list(shots(30))
    for shot in blank:
        shot.gray = plain
    Tracer(footage, list(footage.tracks.values())).trace(blank)
    assert sources(footage) == [""] * 5 + ["held"] * 5 + ["seen"] * 10 + ["held"] * 5 + [""] * 5
    assert misses(footage) < 0.02  # the box grows with the way that it would have gone


def test_a_track_needs_one_good_frame() -> None:
    """Hysteresis: from a start score on it is hidden in all its frames, otherwise in none."""
    config = HideConfig(start_score=0.4)
    low = dict.fromkeys(range(10), 0.25)
    for scores, status in ((low, IGNORED), ({**low, 5: 0.45}, HIDDEN)):
        plan = Plan(Footage.of(records(10, scores)), config, config.start_score)
        verdict = plan.verdict(plan.footage.tracks[4])
        assert verdict.status == status
        assert verdict.reason
        assert len(plan.outlines(0, {4: verdict})) == (status == HIDDEN)


def test_corrections_go_first() -> None:
    footage = Footage.of(records(10, dict.fromkeys(range(10), 0.9)))
    rows = [
        Correction("clear", face=4, first=2, last=3),
        Correction("clear", box=(0, 0, WIDTH, HEIGHT), first=5, last=5),
        Correction("hide", box=(100, 10, 20, 30), last=1),
    ]
    plan = Plan(footage, HideConfig(method="fill"), 0.4, rows)
    verdicts = {4: plan.verdict(footage.tracks[4])}
    assert verdicts[4].status == HIDDEN
    counts = [len(plan.outlines(i, verdicts)) for i in range(10)]
    assert counts == [2, 2, 0, 0, 1, 0, 1, 1, 1, 1]
    assert covered(plan.outlines(0, verdicts), WIDTH, HEIGHT)[25, 110]
    whole = Plan(footage, HideConfig(), 0.4, [Correction("clear", face=4)])
    assert whole.verdict(footage.tracks[4]).status == CLEAR
    forced = Plan(
        Footage.of(records(10, {3: 0.2})), HideConfig(), 0.4, [Correction("hide", face=4)]
    )
    assert forced.verdict(forced.footage.tracks[4]).status == HIDDEN


def test_only_a_clear_likeness_keeps_a_face() -> None:
    footage = Footage.of(records(3, dict.fromkeys(range(3), 0.9)))
    for likeness, status, doubt in ((0.7, CLEAR, True), (0.5, HIDDEN, True), (0.1, HIDDEN, False)):
        verdict = Plan(footage, HideConfig(), 0.4, (), {4: likeness}).verdict(footage.tracks[4])
        assert (verdict.status, bool(verdict.reason)) == (status, doubt)
