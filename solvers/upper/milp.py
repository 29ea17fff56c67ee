"""Attack with a proof: the bilevel problem as a MILP, solved by HiGHS to a gap of zero.

Each solve names a cell, on which the partition is constant, and proves a bound. Inside the cell a
cone program finds an eps far from the walls; the lower level says what it really does. A cell that
turns out to be empty, or outside the ball of norm 2, is cut off, and the search goes on.

A bound can stay apart from what was found: where a cell has no inside, as when two points meet at
one eps only, the lower level cannot confirm in floating point what the cell claims.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod

import numpy as np

from bilad.formulations.clustering.milp.closed_cell import MARGIN, ClosedCell
from bilad.formulations.clustering.milp.program import MarginProgram
from bilad.models.learning.learning_model import write_milp
from bilad.models.problem import LENGTH_TOL, BilevelProblem
from bilad.models.validation import BoolArray, FloatArray, whole_number
from bilad.solvers.bilevel.oracle import Evaluation, LowerLevel
from bilad.solvers.bilevel.result import Stage
from bilad.solvers.bilevel.scaling import Frame
from bilad.solvers.bilevel.trace import Journal, Work
from bilad.solvers.termination import BudgetSpentError
from bilad.solvers.upper.line_search import polish
from bilad.solvers.upper.milp_solver import HighsSession, MilpAnswer

BEYOND = (0.1, 0.5, 1e1, 1e2, 1e3, 1e4)  # of `LENGTH_TOL`; how far past a wall (BL2) to look
TOUCHING = 1e-7  # relative; a cell farther than this outside the ball is cut off by its tangent
LEAST_SIZE = 1e-6  # of eps, in units of the radius
MET = 1e-9  # relative; a bound (BL1) this near is met
SIZE_GAP = 1e-9  # of HiGHS, in units of the radius
COUNT_GAP = 1 - 1e-6  # of HiGHS, in counts
FIRST_LENGTH = 1e-3  # of the way to the ends, where the probes of (BL2) begin
SHARE = 0.9  # of the time left, for one solve: its solution is to be evaluated yet


def refusal(problem: BilevelProblem) -> str | None:
    """Say why this method cannot take the problem, or None."""
    return write_milp.refusal(problem.model, problem)


def prepare(
    problem: BilevelProblem,
    rng: np.random.Generator,
    *,
    probes: int = 8,
    coincidences: bool = True,
) -> Work:
    """Choose eps to probe before the MILP is written.

    Parameters
    ----------
    probes : int, default 8
        Random eps to try first, besides the ends of the axes: an attack found early bounds what
        the MILP has to look at.
    coincidences : bool, default True
        Whether the bound holds for all eps. If not, it leaves out those at which points meet that
        no chain of fused edges joins: as a rule isolated ones, which a solve in floating point
        leaves undecided. The status then claims nothing of the optimum.
    """
    k = problem.perturbation.dim
    axes = np.vstack([np.eye(k), -np.eye(k)])
    directions = [*axes, *rng.normal(size=(whole_number(probes, "probes", least=0), k))]
    ends = [problem.project(problem.radius * v / problem.size(v)) for v in directions]
    ends = [end for end in ends if end.any()]

    def work(lower: LowerLevel, journal: Journal) -> None:
        journal.bounds_all = coincidences
        if problem.sense == "min":
            polish(lower, [FIRST_LENGTH * end for end in ends])
            _Shortest(lower, journal, _within_reach(problem, lower), coincidences).run()
        else:
            for end in ends:
                lower.evaluate(end)
            _Largest(lower, journal, problem, coincidences).run()

    return work


def _within_reach(problem: BilevelProblem, lower: LowerLevel) -> BilevelProblem:
    """Return (BL2) with the best attack so far as its limit: every big-M constant is smaller."""
    if lower.best is None:
        return problem
    return problem.within(max(lower.best.size, LEAST_SIZE * problem.radius))


def _give_up(answer: MilpAnswer) -> None:
    if answer.interrupt is not None:
        raise answer.interrupt
    if answer.status == "time limit":
        raise BudgetSpentError(answer.status)


class _Search(ABC):
    """What (BL1) and (BL2) share: the MILP in unit scale, and what becomes of a cell."""

    def __init__(
        self, lower: LowerLevel, journal: Journal, problem: BilevelProblem, coincidences: bool
    ) -> None:
        self.lower, self.journal = lower, journal
        self.frame = frame = Frame.of(problem)
        scaled = frame.solution_into(lower.baseline)
        self.milp = write_milp(frame.problem.model, frame.problem, scaled, coincidences)
        self.formulation = self.milp.formulation
        self.coincidences = coincidences
        self.session = HighsSession(self.formulation.model, self.milp_gap())
        self._margins: tuple[MarginProgram, HighsSession] | None = None
        self._solves = 0
        journal.engine = self.session.engine

    @abstractmethod
    def milp_gap(self) -> float:
        """Return the absolute gap to which a MILP is solved."""

    def solve(self) -> MilpAnswer:
        self._solves += 1
        return self.session.solve(SHARE * self.lower.seconds_left())

    def evaluate(self, eps: FloatArray, claimed: float) -> Evaluation:
        """Ask the lower level about an eps of a cell."""
        began = time.perf_counter()
        seen = self.lower.evaluate(self.frame.eps_out(eps))
        self.journal.expected = len(self.journal.stages) + 1
        self.journal.record(
            Stage(
                name=f"MILP {self._solves}",
                claimed=claimed,
                eps=seen.eps,
                deviation=seen.deviation,
                engine_status="optimal",
                iterations=0,
                seconds=time.perf_counter() - began,
            )
        )
        return seen

    def record_bound(self, bound: float) -> None:
        """Tell the journal, unless the bound rests on labels that are not proved."""
        if self.lower.baseline.proved:
            self.journal.bound = bound

    def current_cell(self) -> ClosedCell | None:
        """Return the cell that the MILP found; None if it is a coincidence and has been cut off."""
        cell: ClosedCell = self.milp.cell()
        if not self.coincidences and self.formulation.add_connectivity_cuts(cell.together):
            return None
        return cell

    def exclude(self, orders: BoolArray) -> None:
        """Cut off an empty cell, with all others that are empty for the same reason."""
        if self._margins is None:
            program = self.milp.margin_program()
            self._margins = program, HighsSession(program.model, SIZE_GAP)
        program, session = self._margins
        program.fix(orders)
        answer = session.solve(self.lower.seconds_left())
        if answer.interrupt is not None:
            raise answer.interrupt
        literals = None
        if answer.status == "optimal" and answer.value is not None and answer.value <= MARGIN:
            literals = program.conflict(session.reduced_costs(), orders)
        self.formulation.exclude(orders, literals)

    @property
    def is_round(self) -> bool:
        """Whether the MILP knows the ball only up to a small error."""
        return self.frame.problem.norm == 2 and self.frame.problem.perturbation.dim > 1


class _Largest(_Search):
    """(BL1): ask for more than the best so far, until there is no more."""

    settled = 0.0  # most that a cell claims which was cut off though it is not empty
    bound = np.inf

    def milp_gap(self) -> float:
        return COUNT_GAP if self.formulation.is_count else SIZE_GAP

    @property
    def found(self) -> float:
        best = self.lower.best
        return 0.0 if best is None else best.deviation

    def run(self) -> None:
        formulation = self.formulation
        step = formulation.unit if formulation.is_count else 0.0
        self._lower_bound_to(self.lower.problem.deviation.largest(self.lower.problem.model.n))
        while self.bound > self.found * (1 + MET):
            formulation.require(self.found + step)
            answer = self.solve()
            if answer.status == "infeasible":
                self._lower_bound_to(self.found)
                return
            if answer.bound is not None:
                self._lower_bound_to(self._rounded(answer.bound))
            if answer.value is None or answer.interrupt is not None:
                return _give_up(answer)
            self._try_cell(answer.value * formulation.unit)

    def _lower_bound_to(self, bound: float) -> None:
        self.bound = min(self.bound, max(bound, self.found, self.settled))
        self.record_bound(self.bound)

    def _rounded(self, bound: float) -> float:
        formulation = self.formulation
        return formulation.unit * float(np.floor(bound + 1e-6) if formulation.is_count else bound)

    def _try_cell(self, claimed: float) -> None:
        """Attack through the current cell, or cut it off."""
        cell = self.current_cell()
        if cell is None or (self.is_round and self._is_outside(cell)):
            return
        inside = cell.interior_point(1.0)
        if inside is not None and inside.margin <= MARGIN:
            self.exclude(cell.orders)
            return
        if inside is not None:
            seen = self.evaluate(inside.eps, claimed)
            if self.formulation.is_count and seen.proved and seen.deviation >= claimed * (1 - MET):
                return  # nothing so small is asked for again
        self.settled = max(self.settled, claimed)
        self.formulation.exclude(cell.orders)

    def _is_outside(self, cell: ClosedCell) -> bool:
        nearest = cell.nearest()
        if nearest is None or np.linalg.norm(nearest) <= 1 + TOUCHING:
            return False
        self.formulation.cut_ball(nearest)
        return True


class _Shortest(_Search):
    """(BL2): ask for a smaller eps than the best so far, until the cell of the optimum is met."""

    settled = np.inf  # least size in a cell that was cut off though it is not empty
    bound = 0.0  # in units of the radius, as all sizes here

    def milp_gap(self) -> float:
        return SIZE_GAP

    @property
    def found(self) -> float:
        """Size of the best attack, 1 if there is none."""
        best = self.lower.best
        return 1.0 if best is None else min(best.size / self.frame.given.radius, 1.0)

    def run(self) -> None:
        self._raise_bound_to(0.0)
        while not self.frame.problem.attains(self.bound, self.found, np.inf):
            self.formulation.limit_size(self.found)
            answer = self.solve()
            if answer.status == "infeasible":
                self._raise_bound_to(self.found)
                return
            if answer.bound is not None:
                self._raise_bound_to(answer.bound)
            if answer.value is None or answer.interrupt is not None:
                return _give_up(answer)
            if self._try_cell(answer.value) and answer.status == "optimal":
                return

    def _raise_bound_to(self, bound: float) -> None:
        self.bound = max(self.bound, min(bound, self.found, self.settled))
        self.record_bound(self.bound * self.frame.given.radius)

    def _try_cell(self, claimed: float) -> bool:
        """Attack through the current cell; say whether it is attained and as near as claimed.

        If not, cut it off.
        """
        cell = self.current_cell()
        if cell is None:
            return False
        nearest, centre = cell.nearest(), cell.interior_point(1.0)
        if centre is not None and centre.margin <= MARGIN:
            self.exclude(cell.orders)
            return False
        size = claimed if nearest is None else self.frame.problem.size(nearest)
        attacked = nearest is not None and self._attack(cell, size)
        if attacked and size <= claimed * (1 + TOUCHING) + SIZE_GAP:
            return True
        if nearest is not None and self.is_round and size > 0:
            self.formulation.cut_ball(nearest)
        self.settled = min(self.settled, size)
        self.formulation.exclude(cell.orders)
        return False

    def _attack(self, cell: ClosedCell, size: float) -> bool:
        """Look just beyond the nearest point of the closure, where the cell is open."""
        for beyond in BEYOND:
            inside = cell.interior_point(size + beyond * LENGTH_TOL * max(size, LEAST_SIZE))
            if inside is None or inside.margin <= 0:
                continue
            seen = self.evaluate(inside.eps, size * self.frame.given.radius)
            if self.lower.counts(seen):
                return True
        return False
