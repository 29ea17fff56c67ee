"""The values of the results of attacks.

The value of an attack is its deviation (BL1) or its norm (BL2). An answer without certified labels
has the value of "no attack".
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from bilad.models import (
    BilevelProblem,
    ConvexClustering,
    FusionGraph,
    MaxDeviation,
    Perturbation,
)
from bilad.solvers import attack
from bilad.solvers.upper import UPPER_METHODS, refusal

NAN = float("nan")
SIMPLE = ("corners", "random")
FEW, DRAWS, MANY = 10, 50, 10**9  # parameters; draws of each vertex on average; vertices else
FINAL = ("optimal", "no attack exists")  # statuses that no longer search can change


def unending(problem: BilevelProblem) -> dict[str, Any]:
    """Return the options with which only the limits of a run end a simple search."""
    k = problem.perturbation.dim
    return {"corners": DRAWS * 2**k if k <= FEW else MANY}


def shown_value(value: float) -> str:
    """Return a value as text; a dash if there is no attack."""
    return f"{value:.6g}" if 0 < value < float("inf") else "-"


def no_value(problem: BilevelProblem) -> float:
    """Return the value that stands for "no attack": 0 for (BL1), infinity for (BL2)."""
    return float("inf") if problem.sense == "min" else 0.0


def better(problem: BilevelProblem, value: float, other: float) -> bool:
    """Return whether a value is better than another."""
    return value < other if problem.sense == "min" else value > other


def attained_value(problem: BilevelProblem, size: float, deviation: float, proved: bool) -> float:
    """Return the value of an answer; that of "no attack" unless it is one with certified labels."""
    if not (proved and problem.is_attack(size, deviation)):
        return no_value(problem)
    return problem.value(size, deviation)


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
