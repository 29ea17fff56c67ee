"""The properties that section 4 requires of a deviation function, checked on problems.

On all partitions of this part, the identity delta = n (n - 1) (1 - RI) is checked too, with the
Rand index RI of scikit-learn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation
from bilad.models.deviation import PARTITION_DEVIATIONS
from bilad.models.learning.clustering_problem import clustering_of
from bilad.scripts.display import grouped
from bilad.scripts.reproduce.theory.reassignment_checks import PathRow, along, identity_error
from bilad.scripts.settings import readable_settings
from bilad.solvers import find_violation
from bilad.solvers.clustering.parametric.parametric_path import parametric_path
from bilad.solvers.upper.deviation_properties import ALONG, IN_NORM, NONNEGATIVE, ZERO, Violation

# Properties (iii), (ii) and (i) of the paper; (i) along each ray from 0, and between any two eps.
PROPERTIES = (ZERO, NONNEGATIVE, ALONG, IN_NORM)
# The problems of `plane_problems` in words.
PLANE = (
    "three groups of four normal points (deviation 0.5) around 0, (2.5, 0.75) and (5, 1.5), "
    "weights exp(-0.1 ||a_i - a_j||^2) on the graph of 4 nearest neighbours, gamma = 0.8, two "
    "points perturbed (eps has four components), ||eps||_2 <= 4, seed 7"
)
TOLERANCE = 1e-6  # delta is an integer


@dataclass(frozen=True)
class PropertyRow:
    """A property of a deviation function on a problem."""

    problem: str
    deviation: str
    property: str
    holds: bool  # whether no counterexample was found
    # whether every eps was examined in exact arithmetic, or the counterexample is confirmed
    proved: bool
    # the counterexample; empty and NaN if there is none
    eps: str
    norm: float
    value: float
    # a larger eps with a smaller U; empty and NaN if there is none
    other_eps: str
    other_norm: float
    other_value: float


def setting_problems() -> dict[str, MaxDeviation]:
    """Return (BL1) of every setting whose data can be read."""
    return {name: setting.max_deviation() for name, setting in readable_settings().items()}


def plane_problems() -> dict[str, MaxDeviation]:
    """Return (BL1) for twelve points in the plane, two of them perturbed, p = 1 and p = 2."""
    rng = np.random.default_rng(7)
    A = 0.5 * rng.normal(size=(12, 2)) + 2.5 * (np.arange(12) % 3)[:, None] * [1.0, 0.3]
    graph = FusionGraph.knn(A, k=4, phi=0.1)
    free = Perturbation.additive(A.shape, points=[0, 4])
    return {
        f"plane, p = {p}": MaxDeviation(ConvexClustering(A, graph, 0.8, p), free, 4.0)
        for p in (1, 2)
    }


def check_properties(
    problems: Mapping[str, MaxDeviation], rays: int, points: int, seed: int
) -> Iterator[PropertyRow]:
    """Yield a row for each problem, function and property.

    `rays`, `points` and `seed` are passed to `find_violation` for several parameters.
    """
    for name, problem in problems.items():
        for deviation in PARTITION_DEVIATIONS:
            check = find_violation(problem, deviation, rays=rays, points=points, seed=seed)
            found = {violation.property: violation for violation in check.violations}
            for wanted in PROPERTIES:
                violation = found.get(wanted)
                proved = violation is not None or check.exhaustive
                yield _row(name, deviation, wanted, violation, proved)


def _row(
    problem: str, deviation: str, wanted: str, violation: Violation | None, proved: bool
) -> PropertyRow:
    nan = float("nan")
    seen = violation or Violation(wanted, np.empty(0), nan, nan)
    return PropertyRow(
        problem=problem,
        deviation=deviation,
        property=wanted,
        holds=violation is None,
        proved=proved,
        eps=_shown(seen.eps),
        norm=seen.norm,
        value=seen.value,
        other_eps="" if seen.other_eps is None else _shown(seen.other_eps),
        other_norm=nan if seen.other_norm is None else seen.other_norm,
        other_value=nan if seen.other_value is None else seen.other_value,
    )


def _shown(eps: np.ndarray) -> str:
    return " ".join(f"{value:.6g}" for value in eps)


@dataclass(frozen=True)
class IdentityRow:
    """The result of checking the identity on some partitions."""

    partitions: str
    tried: int
    wrong: int
    largest: float  # the largest error of delta


def check_identity(
    problems: Mapping[str, MaxDeviation], paths: Sequence[PathRow]
) -> Iterator[IdentityRow]:
    """Yield a row for each problem with one parameter, and one for the reassignments."""
    for name, problem in problems.items():
        reach = problem.radius
        path = parametric_path(clustering_of(problem), problem.perturbation, -reach, reach)
        before, others = path.labels_at(0.0), [*path.between, *path.at_breakpoints]
        errors = [identity_error(before, other) for other in others]
        yield _of_errors(f"all partitions of {name}", errors)
    errors = []
    for (sizes, direction), _ in grouped(paths, lambda row: (row.sizes, row.direction)):
        counts = [tuple(map(int, text.split("+"))) for text in (sizes, direction)]
        partitions = along(counts[0], counts[1])
        errors += [identity_error(partitions[0], other) for other in partitions]
    yield _of_errors("reassignments", errors)


def _of_errors(name: str, errors: Sequence[float]) -> IdentityRow:
    wrong = int(np.count_nonzero(np.array(errors) > TOLERANCE))
    return IdentityRow(name, len(errors), wrong, max(errors))
