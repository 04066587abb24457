"""Which faces are kept, by an expression about the columns of the table."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fkp.annotate.outcome import Annotated, Result
from fkp.annotate.output.rows import Columns
from fkp.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd


def names_one_of(expression: str, names: Iterable[str]) -> bool:
    """Whether an expression names any of these columns."""
    return bool(set(re.findall(r"\w+", expression)) & set(names))


@dataclass(frozen=True, slots=True)
class Keep:
    """Keeps the faces for which an expression of `pandas.DataFrame.query` is true.

    columns: those it may name. Raises UsageError if it is not true or false for each face. A
    comparison with a missing value is false.
    """

    expression: str
    columns: Columns

    def __post_init__(self) -> None:
        from fkp.annotate.output.frames import table

        self._true(table([], self.columns))

    def __call__(self, paths: Sequence[str], results: Sequence[Result]) -> list[Result]:
        """The results with only the faces to keep; a note counts those discarded."""
        from fkp.annotate.output.frames import table

        true = self._true(table(zip(paths, results, strict=True), self.columns))
        kept: list[Result] = []
        row = 0
        for result in results:
            count = len(result.faces) if isinstance(result, Annotated) else 0
            own = true[row : row + count]
            row += max(count, 1)
            if isinstance(result, Annotated) and not all(own):
                kept.append(_only(result, [i for i, wanted in enumerate(own) if wanted]))
            else:
                kept.append(result)
        return kept

    def _true(self, rows: "pd.DataFrame") -> list[bool]:
        import pandas as pd

        try:
            found = rows.eval(self.expression, engine="python", local_dict={}, global_dict={})
        except Exception as error:  # pandas raises nearly anything for what it cannot understand
            known = ", ".join(name for name in rows.columns if not name.endswith(("_x", "_y")))
            raise UsageError(
                f"keep: {self.expression!r} cannot be evaluated: {error}; expected a comparison "
                f"of columns, such as 'abs(yaw) < 30 and score > 0.8'; the columns are {known}"
            ) from error
        if not isinstance(found, pd.Series) or not pd.api.types.is_bool_dtype(found.dtype):
            raise UsageError(
                f"keep: expected an expression that is true or false for each face, such as "
                f"'score > 0.8', got {self.expression!r}"
            )
        return [bool(value) for value in found.fillna(value=False)]


def _only(result: Annotated, rows: list[int]) -> Annotated:
    """The result with these faces only."""
    gone = len(result.faces) - len(rows)
    note = f"{gone} face{'' if gone == 1 else 's'} discarded by keep"
    return replace(
        result,
        faces=result.faces[rows],
        note="; ".join(filter(None, (result.note, note))),
        numbers=tuple(result.numbers[i] for i in rows) if result.numbers else (),
        filled=tuple(result.filled[i] for i in rows) if result.filled else (),
    )
