"""Direct search, the paper's: try every eps of a grid (section 6.3).

`-a : step : a` for one parameter, the lattice with that step inside the norm ball for a few; where
eps has bounds, the part of it between them, counted from the lower ones. The grid is walked
outwards, so that for (BL2) the first attack met is the best on the grid. On request it is refined
around the steps of the staircase.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable

import numpy as np

from bilad.models.bilevel import BilevelProblem
from bilad.models.validation import ArgumentError, FloatArray, IntArray, real_number, whole_number
from bilad.solvers.upper.journal import Runner, Trace
from bilad.solvers.upper.lower_level import LowerLevel

FEW = 6  # parameters; a lattice grows as a power of their number
DEFAULT_POINTS = 1001
MOST_POINTS = 2_000_000
MOST_REFINEMENTS = 40  # halvings; from then on neighbours differ by rounding only

Place = tuple[int, ...]  # of a lattice point, in steps from the corner of the lower bounds
Answer = tuple[float, bool]  # what is compared: the deviation, and whether it is proved


def refusal(problem: BilevelProblem) -> str | None:
    """Say why this method cannot take the problem, or None."""
    k = problem.perturbation.dim
    return None if k <= FEW else f"a lattice is for at most {FEW} parameters, eps has {k}"


def prepare(
    problem: BilevelProblem,
    rng: np.random.Generator,
    *,
    step: float | None = None,
    refinements: int = 0,
) -> Runner:
    """Lay out the grid.

    Parameters
    ----------
    step : float, optional
        Distance of neighbours on the grid; by default about 1001 points span the box.
    refinements : int, default 0
        How often the step is halved where the staircase has a step: each time, every cell of the
        lattice whose corners do not all have one deviation is cut into 2^k, and then the cells of
        these. For one parameter that is bisection between neighbours that differ. At most 40.
    """
    halvings = whole_number(refinements, "refinements", least=0)
    if halvings > MOST_REFINEMENTS:
        raise ArgumentError("refinements", refinements, f"at most {MOST_REFINEMENTS}")
    lattice = Lattice(problem, step)
    places = lattice.places()

    def run(lower: LowerLevel, trace: Trace) -> None:
        answers = _walk(lower, lattice, places, 0, lambda done: trace.progress(done, len(places)))
        cells: Iterable[Place] = lattice.cells() if halvings else ()
        for level in range(halvings):
            cut = [cell for cell in cells if _has_step(cell, answers)]
            answers = {_doubled(place): answer for place, answer in answers.items()}
            new = {place for cell in cut for place in _within(cell)} - answers.keys()
            answers |= _walk(lower, lattice, np.array(sorted(new)), level + 1)
            cells = [half for cell in cut for half in _corners(_doubled(cell))]

    return run


class Lattice:
    """The points of a problem's ball at whole multiples of a step, and of its halves.

    Parameters
    ----------
    problem : BilevelProblem
    step : float or None
        Distance of neighbours, in units of eps; None for about 1001 points in the box.

    Raises
    ------
    ArgumentError
        If the step is no positive number, or makes more than two million points.
    """

    def __init__(self, problem: BilevelProblem, step: float | None) -> None:
        self.problem = problem
        self.low, self.high = problem.box
        k, lengths = problem.perturbation.dim, self.high - self.low
        if step is None:
            step = float(lengths.max()) / (DEFAULT_POINTS ** (1 / k) - 1)
        self.step = real_number(step, "step", above=0.0)
        with np.errstate(over="ignore"):
            counts = np.floor(lengths / self.step * (1 + 1e-12)) + 1
        most = counts.max()
        if k * np.log(most) > np.log(MOST_POINTS):
            raise ArgumentError(
                "step", step, f"a lattice of at most {MOST_POINTS} points, not {most:.0f}^{k}"
            )
        self.counts = [int(count) for count in counts]

    def places(self) -> IntArray:
        """Return the places of all points of the box, one a row."""
        return np.indices(self.counts).reshape(len(self.counts), -1).T

    def cells(self) -> Iterable[Place]:
        """Return the lower corners of all cells; along an entry with one point they are flat."""
        return itertools.product(*(range(max(count - 1, 1)) for count in self.counts))

    def points(self, places: IntArray, level: int) -> FloatArray:
        """Return the eps of places that count steps halved `level` times."""
        return np.minimum(self.low + self.step * 0.5**level * places, self.high)


def _walk(
    lower: LowerLevel,
    lattice: Lattice,
    places: IntArray,
    level: int,
    on_point: Callable[[int], None] = lambda done: None,
) -> dict[Place, Answer]:
    """Evaluate the points within the ball outwards, as long as one can be better than the best."""
    problem, answers = lower.problem, dict[Place, Answer]()
    if len(places) == 0:
        return answers
    points = lattice.points(places, level)
    sizes = np.linalg.norm(points, ord=problem.norm, axis=1)
    largest = problem.deviation.largest(problem.model.n)
    for done, index in enumerate(np.argsort(sizes, kind="stable")):
        best = lower.best
        if sizes[index] > problem.radius:
            break
        if best and problem.rank(sizes[index], largest) < problem.rank(best.size, best.deviation):
            break  # from here on, not even the largest deviation would be better
        seen = lower.evaluate(points[index])
        answers[tuple(places[index].tolist())] = (seen.deviation, seen.proved)
        on_point(done + 1)
    return answers


def _doubled(place: Place) -> Place:
    return tuple(2 * index for index in place)


def _corners(cell: Place) -> Iterable[Place]:
    """Return the 2^k corners of a cell; of a cell cut in halves, the lower corners of these."""
    return itertools.product(*((index, index + 1) for index in cell))


def _within(cell: Place) -> Iterable[Place]:
    """Return the 3^k places of a cell cut in halves: its corners, and what is between them."""
    return itertools.product(*((2 * index, 2 * index + 1, 2 * index + 2) for index in cell))


def _has_step(cell: Place, answers: dict[Place, Answer]) -> bool:
    """Say whether two corners of a cell that were evaluated have different answers."""
    return len({answers[corner] for corner in _corners(cell) if corner in answers}) > 1
