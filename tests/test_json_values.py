"""JSON from strangers as checked values."""

from collections.abc import Callable
from typing import Any

import pytest

from fkp.json_values import JsonError, JsonValue


def parse(text: str) -> JsonValue:
    return JsonValue.parse(text)


def test_values_and_their_places() -> None:
    value = parse('\ufeff{"a": [{"b": 1.5, "c": "x", "d": [1, 2]}], "e": 7, "n": null}')
    (item,) = value["a"].items()
    assert item["b"].number() == 1.5
    assert item["c"].text() == "x"
    assert item["d"].numbers().tolist() == [1, 2]
    assert item["d"].place == "a[0].d"
    assert value["e"].name() == "7"
    assert value.get("n") is None
    assert value.get("absent") is None
    assert value.has("a", "e")
    assert not value.has("b")


@pytest.mark.parametrize(
    ("text", "ask", "message"),
    [
        ("{", lambda v: v, "not valid JSON"),
        ("[" * 100_000, lambda v: v, "not valid JSON: nested too deeply"),
        ('{"a": 1}', lambda v: v["b"], "expected a member b, got a list of 1"),
        ("[1]", lambda v: v["b"], "expected an object, got a list of 1"),
        ('{"a": {}}', lambda v: list(v["a"].items()), "a: expected a list, got an empty object"),
        ('{"a": "x"}', lambda v: v["a"].number(), 'a: expected a number, got "x"'),
        ('{"a": true}', lambda v: v["a"].number(), "a: expected a number, got true"),
        ('{"a": null}', lambda v: v["a"].number(), "a: expected a number, got null"),
        ('{"a": 1e999}', lambda v: v["a"].number(), "a: expected a number, got inf"),
        ('{"a": NaN}', lambda v: v["a"].number(), "a: expected a number, got nan"),
        ('{"a": %s}' % ("9" * 400), lambda v: v["a"].number(), "a number that is too large"),
        ('{"a": -3}', lambda v: v["a"].number(0, 9), "a: expected a number from 0 to 9, got -3"),
        ('{"a": 1.5}', lambda v: v["a"].integer(), "a: expected a whole number, got 1.5"),
        ('{"a": [1, "2"]}', lambda v: v["a"].numbers(), 'a: expected a number, got "2"'),
        ('{"a": [1, [2]]}', lambda v: v["a"].numbers(), "a: expected a number, got a list of 1"),
        ('{"a": 3}', lambda v: v["a"].numbers(), "a: expected a list of numbers, got 3"),
        ('{"a": []}', lambda v: v["a"].text(), "a: expected a string, got a list of 0"),
        ('{"a": [1]}', lambda v: v["a"].name(), "a: expected a number, got a list of 1"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_in_a_few_words(
    text: str, ask: Callable[[JsonValue], Any], message: str
) -> None:
    with pytest.raises(JsonError) as caught:
        ask(parse(text))
    assert message in str(caught.value)
    assert len(str(caught.value)) < 150
