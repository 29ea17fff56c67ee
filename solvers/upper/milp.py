"""Attacks by a MILP formulation of the bilevel problem, which HiGHS solves to a gap of zero."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod

import numpy as np

from bilad.formulations.clustering.milp.closed_cell import MARGIN, ClosedCell
from bilad.formulations.clustering.milp.program import MarginProgram
from bilad.models.learning.learning_model import write_milp
from bilad.models.problem import LENGTH_TOL, BilevelProblem
from bilad.models.validation import BoolArray, FloatArray, boolean, whole_number
from bilad.solvers.bilevel.oracle import Evaluation, LowerLevel
from bilad.solvers.bilevel.result import Stage
from bilad.solvers.bilevel.scaling import Scaling
from bilad.solvers.bilevel.trace import Runner, Trace
from bilad.solvers.termination import BudgetSpentError
from bilad.solvers.upper.line_search import line_search
from bilad.solvers.upper.milp_solver import HighsSession, MilpAnswer

# (BL2): distances from the boundary of a cell, in units of LENGTH_TOL.
BEYOND = (0.1, 0.5, 1e1, 1e2, 1e3, 1e4)
TOUCHING = 1e-7  # relative distance from the ball beyond which a tangent excludes a cell
LEAST_SIZE = 1e-6  # norm of eps, relative to the radius
MET = 1e-9  # relative difference at which a bound of (BL1) is attained
SIZE_GAP = 1e-9  # gap of HiGHS for norms, relative to the radius
COUNT_GAP = 1 - 1e-6  # gap of HiGHS for counts
FIRST_LENGTH = 1e-3  # length at which the rays of (BL2) begin, relative to their whole length
SHARE = 0.9  # share of the time left for one solve; the rest is for the evaluation


def refusal(problem: BilevelProblem) -> str | None:
    """Return the reason why the method cannot be applied to the problem, or None."""
    if problem.is_binary:
        return "it is for a continuous eps, and with the norm 'count' eps is binary"
    return write_milp.refusal(problem.model, problem)


def prepare(
    problem: BilevelProblem,
    rng: np.random.Generator,
    *,
    probes: int = 8,
    coincidences: bool = True,
) -> Runner:
    """Solve a MILP formulation by HiGHS, which proves a bound; for p = 1, p = inf or d = 1.

    It is for small n. Each solve returns a cell, a set of eps on which the partition is constant,
    and a proved bound. A cone program computes an eps inside the cell with a large distance from
    its boundary, and the lower level is solved there. A cell that is empty, or outside the ball of
    the 2-norm, is excluded by a cut, and the MILP is solved again.

    The bound can remain apart from the best attack if a cell has no interior, for example if two
    points fuse at a single eps. The lower level then cannot confirm the deviation in floating-point
    arithmetic.

    Parameters
    ----------
    probes : int, default 8
        Number of random eps that are evaluated, in addition to the end points of the axes, before
        the MILP is written. An attack among them reduces the search of the MILP.
    coincidences : bool, default True
        Whether the bound holds for all eps. Otherwise it excludes each eps at which two points
        coincide although no path of fused edges connects them. In general these eps are isolated,
        and a solve in floating-point arithmetic cannot decide them. The status then does not claim
        optimality.

    References
    ----------
    Fortuny-Amat and McCarl, A representation and economic interpretation of a two-level programming
    problem, J. Oper. Res. Soc. 32, 1981.
    """
    boolean(coincidences, "coincidences")
    k = problem.perturbation.dim
    axes = np.vstack([np.eye(k), -np.eye(k)])
    directions = [*axes, *rng.normal(size=(whole_number(probes, "probes", least=0), k))]
    ends = [problem.project(problem.radius * v / problem.size(v)) for v in directions]
    ends = [end for end in ends if end.any()]

    def run(lower: LowerLevel, trace: Trace) -> None:
        trace.bounds_all = coincidences
        if problem.sense == "min":
            line_search(lower, [FIRST_LENGTH * end for end in ends])
            _Shortest(lower, trace, _within_reach(problem, lower), coincidences).run()
        else:
            for end in ends:
                lower.evaluate(end)
            _Largest(lower, trace, problem, coincidences).run()

    return run


def _within_reach(problem: BilevelProblem, lower: LowerLevel) -> BilevelProblem:
    """Return (BL2) limited to the norm of the best attack, which reduces the big-M constants."""
    if lower.best is None:
        return problem
    return problem.within(max(lower.best.size, LEAST_SIZE * problem.radius))


def _give_up(answer: MilpAnswer) -> None:
    if answer.interrupt is not None:
        raise answer.interrupt
    if answer.status == "time limit":
        raise BudgetSpentError(answer.status)


class _Search(ABC):
    """The common part of (BL1) and (BL2): the scaled MILP, and the evaluation of its cells."""

    def __init__(
        self, lower: LowerLevel, trace: Trace, problem: BilevelProblem, coincidences: bool
    ) -> None:
        self.lower, self.trace = lower, trace
        self.scaling = scaling = Scaling.of(problem)
        scaled = scaling.scale_solution(lower.baseline)
        self.milp = write_milp(scaling.problem.model, scaling.problem, scaled, coincidences)
        self.formulation = self.milp.formulation
        self.coincidences = coincidences
        self.session = HighsSession(self.formulation.model, self.milp_gap())
        self._margins: tuple[MarginProgram, HighsSession] | None = None
        self._solves = 0
        trace.engine = self.session.engine

    @abstractmethod
    def milp_gap(self) -> float:
        """Return the absolute gap to which a MILP is solved."""

    def solve(self) -> MilpAnswer:
        self._solves += 1
        return self.session.solve(SHARE * self.lower.seconds_left())

    def evaluate(self, eps: FloatArray, claimed: float) -> Evaluation:
        """Solve the lower level at an eps of a cell, and record the stage."""
        began = time.perf_counter()
        seen = self.lower.evaluate(self.scaling.unscale_eps(eps))
        self.trace.expected = len(self.trace.stages) + 1
        self.trace.record(
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
        """Store the bound in the trace if the labels at eps = 0 are proved."""
        if self.lower.baseline.proved:
            self.trace.bound = bound

    def current_cell(self) -> ClosedCell | None:
        """Return the cell of the MILP solution; None if it is a coincidence, which is excluded."""
        cell: ClosedCell = self.milp.cell()
        if not self.coincidences and self.formulation.add_connectivity_cuts(cell.together):
            return None
        return cell

    def exclude(self, orders: BoolArray) -> None:
        """Exclude an empty cell and all others that are empty because of the same conflict."""
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
        """Whether the MILP approximates the ball by tangents."""
        return self.scaling.problem.norm == 2 and self.scaling.problem.perturbation.dim > 1


class _Largest(_Search):
    """(BL1): require a larger deviation than the best so far until the MILP is infeasible."""

    settled = 0.0  # largest deviation claimed by an excluded cell that is not empty
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
        """Evaluate an eps of the current cell, or exclude the cell."""
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
                return  # the next MILP requires a larger deviation
        self.settled = max(self.settled, claimed)
        self.formulation.exclude(cell.orders)

    def _is_outside(self, cell: ClosedCell) -> bool:
        nearest = cell.nearest()
        if nearest is None or np.linalg.norm(nearest) <= 1 + TOUCHING:
            return False
        self.formulation.cut_ball(nearest)
        return True


class _Shortest(_Search):
    """(BL2): require a smaller norm than the best so far until the cell of the optimum is found."""

    settled = np.inf  # least norm in an excluded cell that is not empty
    bound = 0.0  # relative to the radius, as all norms here

    def milp_gap(self) -> float:
        return SIZE_GAP

    @property
    def found(self) -> float:
        """Norm of the best attack, 1 if there is none."""
        best = self.lower.best
        return 1.0 if best is None else min(best.size / self.scaling.given.radius, 1.0)

    def run(self) -> None:
        self._raise_bound_to(0.0)
        while not self.scaling.problem.attains(self.bound, self.found, np.inf):
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
        self.record_bound(self.bound * self.scaling.given.radius)

    def _try_cell(self, claimed: float) -> bool:
        """Evaluate the current cell; return whether an attack in it attains the claimed norm.

        Otherwise the cell is excluded.
        """
        cell = self.current_cell()
        if cell is None:
            return False
        nearest, centre = cell.nearest(), cell.interior_point(1.0)
        if centre is not None and centre.margin <= MARGIN:
            self.exclude(cell.orders)
            return False
        size = claimed if nearest is None else self.scaling.problem.size(nearest)
        attacked = nearest is not None and self._attack(cell, size)
        if attacked and size <= claimed * (1 + TOUCHING) + SIZE_GAP:
            return True
        if nearest is not None and self.is_round and size > 0:
            self.formulation.cut_ball(nearest)
        self.settled = min(self.settled, size)
        self.formulation.exclude(cell.orders)
        return False

    def _attack(self, cell: ClosedCell, size: float) -> bool:
        """Evaluate eps of the open cell close to the nearest point of its closure."""
        for beyond in BEYOND:
            inside = cell.interior_point(size + beyond * LENGTH_TOL * max(size, LEAST_SIZE))
            if inside is None or inside.margin <= 0:
                continue
            seen = self.evaluate(inside.eps, size * self.scaling.given.radius)
            if self.lower.counts(seen):
                return True
        return False
