"""Grid search: the points of a lattice in increasing order of their norm, and its refinements."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable

import numpy as np

from bilad.models.problem import COUNT, BilevelProblem
from bilad.models.validation import ArgumentError, FloatArray, IntArray, real_number, whole_number
from bilad.solvers.bilevel.oracle import LowerLevel
from bilad.solvers.bilevel.trace import Runner, Trace

FEW = 6  # largest number of parameters; the number of points grows exponentially with it
DEFAULT_POINTS = 1001
MOST_POINTS = 2_000_000
MOST_REFINEMENTS = 40  # bisections, after which neighbours differ by rounding errors only

Index = tuple[int, ...]  # of a lattice point, in steps from the vertex of the lower bounds
Value = tuple[float, bool]  # the deviation of a point, and whether its labels are proved


def refusal(problem: BilevelProblem) -> str | None:
    """Return the reason why the method cannot be applied to the problem, or None."""
    k = problem.perturbation.dim
    if problem.is_binary:
        if _count_subsets(problem) <= MOST_POINTS:
            return None
        return (
            f"more than {MOST_POINTS} of the subsets of {k} entries have at most "
            f"{problem.radius:g} elements; a smaller budget or limit reduces their number"
        )
    return None if k <= FEW else f"a lattice is for at most {FEW} parameters, eps has {k}"


def prepare(
    problem: BilevelProblem,
    rng: np.random.Generator,
    *,
    step: float | None = None,
    refinements: int = 0,
) -> Runner:
    """Evaluate every eps of a grid, at most six parameters: the direct search of the paper.

    The grid is -a : step : a for one parameter, and a lattice with this step for up to six. It
    begins at the lower bounds of eps and is cut by the upper bounds and the norm ball. Points are
    evaluated in increasing order of their norm, so that for (BL2) the first attack is the best of
    the grid. For the norm "count" the grid consists of the binary eps, and their number is limited
    instead of k; the optimum is then proved.

    Parameters
    ----------
    step : float, optional
        Distance of neighbours on the grid. By default the grid of the box has about 1001 points;
        the norm "count" has no step.
    refinements : int, default 0
        Number of refinements, at most 40. Each divides every cell whose vertices have different
        deviations into 2^k cells of half the step; the next refinement considers only these. For
        one parameter this is bisection between neighbours with different deviations.

    References
    ----------
    Bilevel models for adversarial learning and a case study, arXiv 2510.25121, Section 6.3.
    """
    halvings = whole_number(refinements, "refinements", least=0)
    if halvings > MOST_REFINEMENTS:
        raise ArgumentError("refinements", refinements, f"at most {MOST_REFINEMENTS}")
    if problem.is_binary:
        for name, value in (("step", step), ("refinements", refinements or None)):
            if value is not None:
                raise ArgumentError(name, value, f"no such option with the norm {COUNT!r}")
        return _enumerate
    lattice = Lattice(problem, step)
    indices = lattice.indices()

    def run(lower: LowerLevel, trace: Trace) -> None:
        values = _evaluate(
            lower, lattice, indices, 0, lambda done: trace.progress(done, len(indices))
        )
        cells: Iterable[Index] = lattice.cells() if halvings else ()
        for level in range(halvings):
            cut = [cell for cell in cells if _has_breakpoint(cell, values)]
            values = {_doubled(point): value for point, value in values.items()}
            new = {point for cell in cut for point in _within(cell)} - values.keys()
            values |= _evaluate(lower, lattice, np.array(sorted(new)), level + 1)
            cells = [half for cell in cut for half in _vertices(_doubled(cell))]

    return run


def _count_subsets(problem: BilevelProblem) -> int:
    """Return the number of admissible binary eps, or a number above the largest that is allowed."""
    total = 0
    for size in range(int(problem.radius) + 1):
        total += math.comb(problem.perturbation.dim, size)
        if total > MOST_POINTS:
            break
    return total


def _enumerate(lower: LowerLevel, trace: Trace) -> None:
    """Evaluate the binary eps in increasing order of their norm, and prove the optimum."""
    problem, total = lower.problem, _count_subsets(lower.problem)
    places, largest = range(problem.perturbation.dim), problem.deviation.largest(problem.model.n)
    sizes = range(1, int(problem.radius) + 1)
    subsets = itertools.chain.from_iterable(itertools.combinations(places, s) for s in sizes)
    for done, subset in enumerate(subsets):
        best = lower.best
        if best and problem.rank(len(subset), largest) < problem.rank(best.size, best.deviation):
            break
        eps = np.zeros(len(places))
        eps[list(subset)] = 1.0
        lower.evaluate(eps)
        trace.progress(done + 1, total)
    if all(seen.proved for seen in lower.history):
        trace.bound = _proved_optimum(lower)


def _proved_optimum(lower: LowerLevel) -> float | None:
    """Return the optimum, given that every better eps was evaluated; None if rounding decides."""
    problem, best = lower.problem, lower.best
    slack = problem.deviation.uncertainty(lower.baseline.outcome)
    if problem.sense == "max":
        return 0.0 if best is None else best.deviation + slack
    optimum = math.inf if best is None else best.size
    fewer = [seen.deviation for seen in lower.history if seen.size < optimum]
    return optimum if max(fewer, default=0.0) + slack < problem.target else None


class Lattice:
    """The lattice of a problem: its points, and those of its refinements.

    Parameters
    ----------
    problem : BilevelProblem
    step : float or None
        Distance of neighbours, in units of eps; None stands for about 1001 points in the box.

    Raises
    ------
    ArgumentError
        If the step is not a positive number, or the lattice has more than two million points.
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

    def indices(self) -> IntArray:
        """Return the indices of all points of the box, one per row."""
        return np.indices(self.counts).reshape(len(self.counts), -1).T

    def cells(self) -> Iterable[Index]:
        """Return the lower vertices of all cells, which are flat in an entry with one point."""
        return itertools.product(*(range(max(count - 1, 1)) for count in self.counts))

    def points(self, indices: IntArray, level: int) -> FloatArray:
        """Return the eps of the indices of a lattice whose step was halved `level` times."""
        return np.minimum(self.low + self.step * 0.5**level * indices, self.high)


def _evaluate(
    lower: LowerLevel,
    lattice: Lattice,
    indices: IntArray,
    level: int,
    on_point: Callable[[int], None] = lambda done: None,
) -> dict[Index, Value]:
    """Evaluate the points of the ball in increasing order of their norm.

    The evaluation ends as soon as no further point can be better than the best attack.
    """
    problem, values = lower.problem, dict[Index, Value]()
    if len(indices) == 0:
        return values
    points = lattice.points(indices, level)
    sizes = np.linalg.norm(points, ord=problem.norm, axis=1)
    largest = problem.deviation.largest(problem.model.n)
    for done, index in enumerate(np.argsort(sizes, kind="stable")):
        best = lower.best
        if sizes[index] > problem.radius:
            break
        if best and problem.rank(sizes[index], largest) < problem.rank(best.size, best.deviation):
            break  # even the largest deviation would not be better at the remaining points
        seen = lower.evaluate(points[index])
        values[tuple(indices[index].tolist())] = (seen.deviation, seen.proved)
        on_point(done + 1)
    return values


def _doubled(point: Index) -> Index:
    return tuple(2 * index for index in point)


def _vertices(cell: Index) -> Iterable[Index]:
    """Return the 2^k vertices of a cell, or the lower vertices of its 2^k halved cells."""
    return itertools.product(*((index, index + 1) for index in cell))


def _within(cell: Index) -> Iterable[Index]:
    """Return the 3^k indices of a cell whose edges are halved."""
    return itertools.product(*((2 * index, 2 * index + 1, 2 * index + 2) for index in cell))


def _has_breakpoint(cell: Index, values: dict[Index, Value]) -> bool:
    """Return whether two evaluated vertices of a cell have different values."""
    return len({values[vertex] for vertex in _vertices(cell) if vertex in values}) > 1
