"""A colour for each number of a face, alike in pictures and on pages."""

Colour = tuple[int, int, int]  # BGR

GREEN: Colour = (80, 220, 60)
ORANGE: Colour = (40, 150, 255)
WHITE: Colour = (255, 255, 255)

FACES: tuple[Colour, ...] = (
    GREEN, ORANGE, (255, 180, 60), (200, 110, 255), (60, 230, 240), (255, 120, 160),
    (90, 90, 255), (190, 230, 130),
)  # fmt: skip
"""Of faces, by their numbers; from the ninth on they come again."""


def colour_of(number: int) -> Colour:
    """The colour of the face of this number."""
    return FACES[number % len(FACES)]


def page_colours() -> list[str]:
    """FACES as CSS spells them."""
    return [f"#{red:02x}{green:02x}{blue:02x}" for blue, green, red in FACES]
