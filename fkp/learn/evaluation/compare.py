"""Several models compared on the same rows."""

from collections.abc import Sequence

from fkp.errors import DataError
from fkp.learn.evaluation.evaluate import Evaluation
from fkp.learn.evaluation.statistics import Difference, difference


def at_common_points(results: Sequence[Evaluation]) -> list[Evaluation]:
    """Evaluations of the same rows, at the points that all models give.

    Raises DataError if the models have no points in common.
    """
    schemes = sorted((result.scheme for result in results), key=len)
    for scheme in schemes:
        if all(other.can_convert(scheme) for other in schemes):
            return [result.convert(scheme) for result in results]
    names = ", ".join(dict.fromkeys(scheme.name for scheme in schemes))
    raise DataError(f"the models have no points in common ({names}); evaluate them one by one")


def differences(results: Sequence[Evaluation]) -> list[Difference]:
    """How much larger the NME of each further model is than that of the first."""
    first = results[0]
    return [
        difference(first.scores.nme_of_face, other.scores.nme_of_face, first.samples.person)
        for other in results[1:]
    ]
