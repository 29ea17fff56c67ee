"""Direct search, the paper's: try every eps of a grid (section 6.3).

`-a : step : a` for one parameter, the lattice with that step inside the norm ball for a few; where
eps has bounds, the part of it between them, counted from the lower ones. The grid is walked
outwards, so that for (BL2) the first attack met is the best on the grid.
"""

from __future__ import annotations

import numpy as np

from bilad.models.bilevel import BilevelProblem
from bilad.models.validation import ArgumentError, FloatArray, real_number
from bilad.solvers.upper.journal import Journal, Work
from bilad.solvers.upper.lower_level import LowerLevel

FEW = 6  # parameters; a lattice grows as a power of their number
DEFAULT_POINTS = 1001
MOST_POINTS = 2_000_000


def refusal(problem: BilevelProblem) -> str | None:
    """Say why this method cannot take the problem, or None."""
    k = problem.perturbation.dim
    return None if k <= FEW else f"a lattice is for at most {FEW} parameters, eps has {k}"


def prepare(
    problem: BilevelProblem, rng: np.random.Generator, *, step: float | None = None
) -> Work:
    """Lay out the grid.

    Parameters
    ----------
    step : float, optional
        Distance of neighbours on the grid; by default about 1001 points span the box.
    """
    points = _lattice(problem, step)
    sizes = np.linalg.norm(points, ord=problem.norm, axis=1)
    outwards = np.argsort(sizes, kind="stable")
    largest = problem.deviation.largest(problem.model.n)

    def work(lower: LowerLevel, journal: Journal) -> None:
        for done, index in enumerate(outwards):
            best = lower.best
            if best and problem.rank(sizes[index], largest) < problem.rank(
                best.size, best.deviation
            ):
                break  # from here on, not even the largest deviation would be better
            lower.evaluate(points[index])
            journal.progress(done + 1, len(points))

    return work


def _lattice(problem: BilevelProblem, step: float | None) -> FloatArray:
    (lower, upper), k = problem.box, problem.perturbation.dim
    lengths = upper - lower
    if step is None:
        step = float(lengths.max()) / (DEFAULT_POINTS ** (1 / k) - 1)
    step = real_number(step, "step", above=0.0)
    with np.errstate(over="ignore"):
        counts = np.floor(lengths / step * (1 + 1e-12)) + 1
    most = counts.max()
    if k * np.log(most) > np.log(MOST_POINTS):
        raise ArgumentError(
            "step", step, f"a lattice of at most {MOST_POINTS} points, not {most:.0f}^{k}"
        )
    axes = [
        np.minimum(start + step * np.arange(count), end)
        for start, count, end in zip(lower, counts, upper, strict=True)
    ]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, k)
    return points[np.linalg.norm(points, ord=problem.norm, axis=1) <= problem.radius]
