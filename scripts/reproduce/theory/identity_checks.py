"""delta = n (n - 1) (1 - RI), RI as scikit-learn counts it, on every partition of this part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bilad.models import MaxDeviation
from bilad.models.clustering_problem import clustering_of
from bilad.models.validation import IntArray
from bilad.scripts.reproduce.theory.spill_paths import PathRow, along, identity_error
from bilad.scripts.tables import grouped
from bilad.solvers.staircase import staircase

TOLERANCE = 1e-6  # delta is a whole number


@dataclass(frozen=True)
class IdentityRow:
    """Partitions on which the identity was looked at."""

    partitions: str  # of which problem
    tried: int
    wrong: int
    largest: float  # error, in units of delta


def check_identity(
    problems: Mapping[str, MaxDeviation], paths: Sequence[PathRow]
) -> Iterator[IdentityRow]:
    """Yield a row for each problem with one eps, and one for the spills.

    Parameters
    ----------
    problems : mapping of str to MaxDeviation
        Every step of their staircases is looked at.
    paths : sequence of PathRow
    """
    for name, problem in problems.items():
        reach = problem.radius
        stairs = staircase(clustering_of(problem), problem.perturbation, -reach, reach)
        others = [*stairs.between, *stairs.at_breaks]
        yield _row(f"every step of {name}", stairs.labels_at(0.0), others)
    errors: list[float] = []
    for (sizes, direction), _ in grouped(paths, lambda row: (row.sizes, row.direction)):
        counts = [tuple(map(int, text.split("+"))) for text in (sizes, direction)]
        partitions = along(counts[0], counts[1])
        errors += [identity_error(partitions[0], other) for other in partitions]
    yield _of_errors("spills", errors)


def _row(name: str, labels: IntArray, others: Sequence[IntArray]) -> IdentityRow:
    return _of_errors(name, [identity_error(labels, other) for other in others])


def _of_errors(name: str, errors: Sequence[float]) -> IdentityRow:
    wrong = int(np.count_nonzero(np.array(errors) > TOLERANCE))
    return IdentityRow(name, len(errors), wrong, max(errors))
