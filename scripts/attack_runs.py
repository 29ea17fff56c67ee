"""The methods of the comparisons, and the values of their results.

The value of an attack is its deviation (BL1) or its norm (BL2). An answer without certified labels
has the value of "no attack".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np

from bilad.formulations.complementarity import RELAXATIONS
from bilad.models import (
    BilevelProblem,
    ConvexClustering,
    FusionGraph,
    MaxDeviation,
    Perturbation,
)
from bilad.solvers import Attack, attack
from bilad.solvers.termination import CONVERGED
from bilad.solvers.upper import REFORMULATIONS, UPPER_METHODS, refusal

REFUSED = "refused"
FEW = 10  # parameters
DRAWS = 50  # of each vertex on average
MANY_STARTS = 1000  # which only a limit of a run ends
CLOSING_ALONE = "closing alone"
NAN = float("nan")
FINAL = ("optimal", "no attack exists")  # statuses that no longer search can change


@dataclass(frozen=True)
class Variant:
    """A method with options, under one name."""

    name: str
    method: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def takes_starts(self) -> bool:
        """Whether the method is a reformulation, which starts from a given eps."""
        return self.method in REFORMULATIONS

    @property
    def is_simple_search(self) -> bool:
        """Whether it is a simple search, which ends only when its time limit is reached."""
        return self.name in ("corners", "random")

    def on(self, problem: BilevelProblem, starts: int = MANY_STARTS) -> Variant:
        """Return the variant with the options with which it is compared on a problem.

        A reformulation has so many starts, and only the limits of a run end a simple search.
        """
        k = problem.perturbation.dim
        extra = {"starts": starts} if self.takes_starts else {}
        if self.is_simple_search:
            extra = {"corners": DRAWS * 2**k if k <= FEW else 10**9}
        return replace(self, options={**extra, **self.options})


VARIANTS = {
    variant.name: variant
    for variant in (
        *(Variant(f"kkt {name}", "kkt", {"relaxation": name}) for name in RELAXATIONS),
        Variant("duality", "duality"),
        Variant("duality aggregate", "duality", {"aggregate": True}),
        Variant("value-function", "value-function"),
        Variant(CLOSING_ALONE, "random", {"corners": 0}),  # without any search before closing
        Variant("milp", "milp"),
        Variant("corners", "corners"),
        Variant("random", "random"),
    )
}
# Every method with its default options, and the variants above.
METHODS = {**{name: Variant(name, name) for name in UPPER_METHODS}, **VARIANTS}


def outcome(found: Attack) -> str:
    """Return the status of an attack if it is final, otherwise what ended the search early."""
    final = found.status in FINAL or found.termination == CONVERGED
    return found.status if final else found.termination


def shown_value(value: float) -> str:
    """Return a value as text; a dash if there is no attack."""
    return f"{value:.6g}" if 0 < value < float("inf") else "-"


def no_value(problem: BilevelProblem) -> float:
    """Return the value that stands for "no attack": 0 for (BL1), infinity for (BL2)."""
    return float("inf") if problem.sense == "min" else 0.0


def share(problem: BilevelProblem, optimum: float, value: float) -> float:
    """Return the share of the optimum that a value attains: between 0 and 1."""
    return optimum / value if problem.sense == "min" else value / optimum


def better(problem: BilevelProblem, value: float, other: float) -> bool:
    """Return whether a value is better than another."""
    return value < other if problem.sense == "min" else value > other


def attained_value(problem: BilevelProblem, size: float, deviation: float, proved: bool) -> float:
    """Return the value of an answer; that of "no attack" unless it is one with certified labels."""
    if not (proved and problem.is_attack(size, deviation)):
        return no_value(problem)
    return problem.value(size, deviation)


def improving(
    problem: BilevelProblem, found: Attack, best: float
) -> Iterator[tuple[int, float, float]]:
    """Yield (solves, seconds, value) for each answer of the history that improves on the best."""
    for seen in found.history:
        value = attained_value(problem, seen.size, seen.deviation, seen.proved)
        if better(problem, value, best):
            best = value
            yield seen.solves, seen.seconds, value


@cache
def warm_up(method: str) -> None:
    """Load and compile what a method needs, so that no run includes the time of it."""
    rng = np.random.default_rng(0)
    data = rng.normal(size=(12, 2))
    plane = ConvexClustering(data, FusionGraph.knn(data, 3), 0.3)
    line = ConvexClustering(data[:, :1], FusionGraph.complete(12, 0.01), 1.0)
    for model in (plane, line):
        free = Perturbation.additive(model.data.shape, [0, 1], [0])
        problem = MaxDeviation(model, free, 1.0, np.inf)
        if refusal(UPPER_METHODS[method], problem) is None:
            attack(problem, method, time_limit=1.0, max_solves=30, bound="none", closing="none")
