"""Bilevel models with followers: reformulated, solved from several starts, and verified."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyomo.environ as pyo
from pyomo.common.collections import ComponentMap
from pyomo.core.base.block import BlockData

from bilad.formulations.bilevel_model import (
    BilevelProgram,
    BilevelReformulation,
    DualityModel,
    KktModel,
    ValueFunctionModel,
)
from bilad.formulations.complementarity import RELAXATIONS
from bilad.formulations.follower import ModelError
from bilad.formulations.leader import set_parameter
from bilad.models.validation import (
    ArgumentError,
    FloatArray,
    number_array,
    one_of,
    seconds_limit,
    seed_number,
    whole_number,
)
from bilad.solvers.bilevel.ipopt_options import try_engine
from bilad.solvers.errors import UnsupportedError
from bilad.solvers.followers.branching import (
    Branching,
    complementarity_branching,
    sides_of,
    variables_of,
)
from bilad.solvers.followers.convexity import refuse_infeasible, refuse_nonconvex, refuse_unbounded
from bilad.solvers.followers.lower_problem import set_values
from bilad.solvers.followers.result import BilevelSolution, BilevelStage
from bilad.solvers.followers.starts import Starts, value_or_bound
from bilad.solvers.followers.stationarity import mpcc_stationarity
from bilad.solvers.followers.verification import Verification, Verifier
from bilad.solvers.nlp import IpoptSession, NlpResult
from bilad.solvers.nlp.written_constants import WrittenConstants
from bilad.solvers.termination import CONVERGED, TIME_LIMIT, BudgetSpentError, termination_of

BRANCHING, VALUE_FUNCTION = "branching", "value-function"
METHODS = ("kkt", "duality", VALUE_FUNCTION, BRANCHING)
SCHEDULE = (1.0, 1e-2, 1e-4, 1e-6, 1e-8)
IPOPT_OPTIONS = {
    "tol": 1e-8,
    "acceptable_tol": 1e-6,
    "max_iter": 400,
    "mu_strategy": "adaptive",
    "bound_relax_factor": 1e-10,
}
LEAST_RENEWALS, RENEWALS = 8, 12  # linearisations of the value function from one start
SHRINK = 0.2  # factor of the relaxation from one linearisation to the next
STILL = 1e-7  # relative change of the leader's variables at which the linearisations end
PROXIMAL = 1e-2  # weight of the proximal term of the value function
OPTIMAL = 1e-6  # relative difference between objective and bound at which a point is optimal
DIVERGING = 1e6  # a larger multiplier of a follower is reported
DESCENTS, DESCENT_STEP, DESCENT_NODES = 10, 1e-3, 500  # of the search for a B-stationary point
CHECKS = 3  # starts at which the followers are tested
AUTO_NODES = 2000  # nodes of branching after which "auto" continues with kkt
NEEDED = (
    "branching needs linear KKT conditions of the followers, linear constraints and a linear or "
    "convex quadratic objective of the leader"
)
CONVERGED_STATUSES = {"optimal", "acceptable"}


def solve_bilevel(
    model: Any,
    method: str = "auto",
    *,
    starts: int = 1,
    seed: int = 0,
    relaxation: str = "scholtes",
    schedule: Sequence[float] = SCHEDULE,
    time_limit: float | None = None,
    node_limit: int | None = None,
    ipopt_options: Mapping[str, Any] | None = None,
) -> BilevelSolution:
    """Solve a bilevel model with convex followers, and verify the answer.

    The values of the reported point are loaded into the model. For every point that a method
    returns, each follower is solved again on its own: linear and convex quadratic ones by HiGHS or
    Clarabel, others by IPOPT.

    Parameters
    ----------
    model : Pyomo model
        With one or more blocks `Follower`. Several followers are in a Nash equilibrium.
    method : {"auto", "kkt", "duality", "value-function", "branching"}, default "auto"
        "kkt" replaces the followers by their KKT conditions, with relaxed complementarity.
        "duality" relaxes the sum of the complementarity products, which is the duality gap.
        "value-function" linearises the optimal value of the followers, again and again; it is a
        local method. "branching" branches on the complementarities, and proves a bound; it needs
        followers with linear KKT conditions (LP, convex QP), and a leader with linear constraints
        and a linear or convex quadratic objective. "auto" is "branching" where it applies, and
        otherwise, or after 2000 nodes without a proof, "kkt".
    starts : int, default 1
        Number of starts of the local methods: the values of the variables, then random points.
        Each is projected onto the constraints of both levels.
    seed : int, default 0
        Of the random starts.
    relaxation : str, default "scholtes"
        The relaxation of "kkt": "scholtes", "fischer-burmeister", "kanzow-schwartz",
        "steffensen-ulbrich", "lin-fukushima", "smoothing", "penalty", or a registered one.
    schedule : sequence of float, default (1, 1e-2, 1e-4, 1e-6, 1e-8)
        The relaxation parameters t of "kkt" and "duality", > 0.
    time_limit : float, optional
        Seconds.
    node_limit : int, optional
        Largest number of nodes of "branching".
    ipopt_options : mapping, optional
        IPOPT's own options, such as {"nlp_scaling_method": "none"}, beside those of this package.

    Returns
    -------
    BilevelSolution
        Whatever happens once the arguments are accepted.

    Raises
    ------
    ArgumentError
        If an argument is wrong, or a follower is not of the accepted form: see `BilevelProgram`;
        also if it is proved that a follower is not convex, that its objective is unbounded at the
        start, or that it is infeasible for every choice of the leader.
    UnsupportedError
        If the method does not apply to the model.
    EngineError
        If IPOPT cannot be started.
    """
    options = _Options.checked(
        starts, seed, relaxation, schedule, time_limit, node_limit, ipopt_options
    )
    one_of(method, "method", ("auto", *METHODS))
    _refuse_missing_numbers(model)
    program = BilevelProgram(model)
    search = _Search(model, options)
    run = _runner(search, method, program)
    termination = termination_of(run, options.seconds, (ModelError,))
    return search.report(method, termination)


def _refuse_missing_numbers(model: Any) -> None:
    """Raise `ModelError` if a fixed variable or a parameter in the model is not a number."""
    if isinstance(model, BlockData):
        try:
            WrittenConstants(model)
        except ValueError as error:
            raise ModelError("model", f"a missing constant ({error})", "numbers") from error


@dataclass(frozen=True)
class _Options:
    starts: int
    seed: int
    relaxation: str
    schedule: tuple[float, ...]
    seconds: float
    nodes: float
    ipopt: Mapping[str, Any]

    @classmethod
    def checked(
        cls,
        starts: int,
        seed: int,
        relaxation: str,
        schedule: Sequence[float],
        time_limit: float | None,
        node_limit: int | None,
        ipopt_options: Mapping[str, Any] | None,
    ) -> _Options:
        """Validate the options."""
        if not isinstance(ipopt_options, Mapping | None):
            raise ArgumentError("ipopt_options", type(ipopt_options).__name__, "a mapping")
        stages = number_array(schedule, "schedule", "a sequence of numbers > 0")
        if stages.ndim != 1 or not stages.size or not (0 < stages.min() <= stages.max() < math.inf):
            raise ArgumentError("schedule", schedule, "a sequence of numbers > 0")
        options = {**IPOPT_OPTIONS, **(ipopt_options or {})}
        try_engine(options)
        return cls(
            whole_number(starts, "starts", least=1),
            seed_number(seed),
            one_of(relaxation, "relaxation", RELAXATIONS),
            tuple(stages.tolist()),
            seconds_limit(time_limit, "time_limit", above=0),
            math.inf if node_limit is None else whole_number(node_limit, "node_limit", least=1),
            options,
        )


def _runner(search: _Search, method: str, program: BilevelProgram) -> Callable[[], None]:
    """Return the run of a method; refuse one that does not apply."""
    tree = None
    if method in {"auto", BRANCHING}:
        unrelaxed = KktModel(search.model, None)
        tree = complementarity_branching(unrelaxed)
    discrete = [v.name for v in program.leader if not v.is_continuous()]
    if method == BRANCHING and tree is None:
        raise UnsupportedError(method, NEEDED, [] if discrete else METHODS[:3])
    if tree is None and discrete:
        reason = f"{discrete[0]!r} is not continuous, which only {BRANCHING!r} accepts; {NEEDED}"
        raise UnsupportedError(method, reason, [])
    linearised = ValueFunctionModel(search.model) if method == VALUE_FUNCTION else None

    def run() -> None:
        search.check_followers()
        if search.starts.infeasible:
            search.conclude("infeasible")
        elif tree is not None:
            _branch(search, unrelaxed, tree, method == "auto" and not discrete)
        elif linearised is not None:
            _follow_value_function(search, linearised)
        else:
            _follow_relaxations(search, method)

    return run


class _Search:
    """What the methods share: starts, verification, limits, and the best point so far."""

    def __init__(self, model: Any, options: _Options) -> None:
        self.model, self.options = model, options
        self._began = time.perf_counter()
        self.verifier = Verifier(BilevelProgram(model.clone()))
        self.starts = Starts(BilevelProgram(model.clone()), options.seed)
        self.sign = self.verifier.program.sign
        self.stages: list[BilevelStage] = []
        self.best: Verification | None = None
        self.claimed: float | None = None
        self.bound: float | None = None
        self.proved: str | None = None
        self.ended = CONVERGED
        self.nodes = 0
        self.engine: str | None = None
        self.multiplier: tuple[float, str] | None = None

    def check_followers(self) -> None:
        """Refuse followers that are proved not convex, unbounded or infeasible.

        They are tested at the first start and at random ones.
        """
        program = self.verifier.program
        for number in range(CHECKS):
            values = self.starts.point(number)
            if self.starts.infeasible:
                refuse_infeasible(program)
                return
            set_values(program.variables, values)
            for lower in self.verifier.lower_problems:
                if number == 0:
                    refuse_unbounded(lower)
                refuse_nonconvex(lower)

    def left(self) -> float:
        """Return the seconds left; raise `BudgetSpentError` if there are none."""
        left = self.options.seconds - (time.perf_counter() - self._began)
        if left <= 0:
            raise BudgetSpentError(TIME_LIMIT)
        return left

    def session(self, model: Any) -> IpoptSession:
        """Open a model in IPOPT."""
        session = IpoptSession(model, self.options.ipopt)
        self.engine = f"{session.engine} {session.version}"
        return session

    def solve(self, session: IpoptSession) -> NlpResult:
        """Solve within the time that is left."""
        left = self.left()
        return session.solve(time_limit=left if math.isfinite(left) else None)

    def record(
        self, stage: BilevelStage, values: FloatArray, multipliers: list[FloatArray] | None = None
    ) -> Verification:
        """Verify the point of a stage, and keep it if it is the best so far."""
        found = self.verifier.verify(values, multipliers)
        self.stages.append(
            replace(
                stage,
                objective=found.objective,
                lower_gap=found.lower_gap,
                violation=found.violation,
            )
        )
        if self.best is None or found.rank(self.sign) < self.best.rank(self.sign):
            self.best, self.claimed = found, stage.claimed
        return found

    def note_multipliers(self, single: KktModel) -> None:
        """Keep the largest multiplier, and the name of its constraint."""
        found = [
            (abs(v.value), str(row.component.name))
            for system in single.systems
            for v, row in zip(system.multipliers, system.program.rows, strict=True)
            if v.value is not None
        ]
        self.multiplier = max(found, default=None)

    def conclude(self, status: str) -> None:
        """Keep a proof that the model is infeasible or unbounded."""
        self.proved = status

    def report(self, method: str, termination: str) -> BilevelSolution:
        """Load the best point into the model, and return the result."""
        best, values = self.best, ComponentMap()
        if termination == CONVERGED:
            termination = self.ended
        if best is not None and self.proved is None:
            for v, value in zip(BilevelProgram(self.model).variables, best.values, strict=True):
                if not math.isnan(value):
                    if not v.fixed:
                        v.set_value(float(value), skip_validation=True)
                    values[v] = float(value)
        else:
            best = None
        gap = None
        if best is not None and self.bound is not None:
            gap = abs(best.objective - self.bound) / (1 + abs(best.objective))
        size = self.multiplier[0] if self.multiplier else None
        return BilevelSolution(
            method=method,
            status=self._status(best, gap),
            termination=termination,
            objective=None if best is None else best.objective,
            claimed=None if best is None else self.claimed,
            bound=self.bound,
            gap=gap,
            lower_gap=None if best is None else best.lower_gap,
            violation=None if best is None else best.violation,
            own_selection=None if best is None else best.own_selection,
            pessimistic=None if best is None else best.pessimistic,
            largest_multiplier=size,
            diverging=self.multiplier[1]
            if self.multiplier and self.multiplier[0] > DIVERGING
            else None,
            values=values,
            stages=tuple(self.stages),
            nodes=self.nodes,
            seconds=time.perf_counter() - self._began,
            engine=self.engine,
        )

    def _status(self, best: Verification | None, gap: float | None) -> str:
        if self.proved is not None:
            return self.proved
        if best is None:
            return "no solution found"
        if not best.confirmed:
            return "unproved"
        return "optimal" if gap is not None and gap <= OPTIMAL else "feasible"


def _values(single: BilevelReformulation) -> FloatArray:
    """Return the values of the model's own variables in a single-level model."""
    values = [math.nan if v.value is None else v.value for v in single.program.variables]
    return np.array(values, dtype=float)


def _multipliers(single: KktModel) -> list[FloatArray]:
    return [
        np.array([v.value or 0.0 for v in system.multipliers], dtype=float)
        for system in single.systems
    ]


def _branch(search: _Search, single: KktModel, tree: Branching, continues: bool) -> None:
    began, options = time.perf_counter(), search.options
    nodes = min(options.nodes, AUTO_NODES) if continues else options.nodes
    variables = variables_of(single)

    def complete(z: FloatArray) -> FloatArray | None:
        """Let the followers respond to the leader's part of a point."""
        set_values(variables, z)
        if not _respond(search, single, _values(single)):
            return None
        return np.array([v.value for v in variables], dtype=float)

    tree.complete = complete
    try:
        tree.run(search.left(), nodes)
    finally:
        search.nodes = tree.nodes
        if math.isfinite(tree.bound):
            search.bound = search.sign * tree.bound
        if tree.status in {"infeasible", "unbounded"}:
            search.conclude(tree.status)
        elif tree.best is not None:
            set_values(variables, tree.best)
            claimed = search.sign * tree.value
            stage = BilevelStage(0, BRANCHING, claimed, tree.status, time.perf_counter() - began)
            search.record(stage, _values(single), _multipliers(single))
            search.note_multipliers(single)
    search.ended = tree.termination
    if continues and tree.status == "unknown":
        search.ended = CONVERGED
        _follow_relaxations(search, "kkt")


def _follow_relaxations(search: _Search, method: str) -> None:
    """Solve the stages of "kkt" or "duality" from every start; polish the last point of each."""
    if method == "duality":
        single: KktModel = DualityModel(search.model)
    else:
        single = KktModel(search.model, search.options.relaxation)
    session = search.session(single.model)
    polish = _Polish(search)
    for number in range(search.options.starts):
        _start(search, single, search.starts.point(number))
        polish.run(number, single, "piece of the start")
        result = None
        for t in search.options.schedule:
            single.set_relaxation(t)
            result = search.solve(session)
            stage = _stage(number, f"t = {t:g}", result)
            if stage.claimed is None:
                search.stages.append(stage)
                continue
            search.record(stage, _values(single), _multipliers(single))
        search.note_multipliers(single)
        if result is not None and result.objective is not None:
            polish.run(number, single, "polish")


def _stage(number: int, name: str, result: NlpResult) -> BilevelStage:
    return BilevelStage(number, name, result.objective, result.status.value, result.seconds)


def _start(search: _Search, single: KktModel, values: FloatArray) -> None:
    """Start at a point of the leader, and at the followers' own solutions there."""
    set_values(single.program.variables, values)
    for v in single.model.component_data_objects(pyo.Var):
        v.set_value(value_or_bound(v), skip_validation=True)
    if not _respond(search, single, values):
        for system in single.systems:
            system.start_slacks()


def _respond(search: _Search, single: KktModel, values: FloatArray) -> bool:
    """Set the followers to their own solutions at a point; return whether all have one."""
    verifier = search.verifier
    set_values(verifier.program.variables, values)
    answers = verifier.lower_answers()
    for i, answer in enumerate(answers):
        if answer.status == "optimal":
            single.start(i, answer.y, answer.multipliers)
    return all(answer.status == "optimal" for answer in answers)


class _Polish:
    """Exact pieces: the smaller side of every pair is fixed at 0.

    A descent direction of the linearised problem leads from one piece to the next, until the point
    is B-stationary.
    """

    def __init__(self, search: _Search) -> None:
        self._search = search
        self._single = KktModel(search.model, None)
        self._session: IpoptSession | None = None

    def run(self, number: int, near: KktModel, name: str) -> None:
        """Solve the piece at the current point of another model, and record its solution."""
        single, search = self._single, self._search
        self._session = self._session or search.session(single.model)
        copies = zip(variables_of_all(near), variables_of_all(single), strict=True)
        for source, target in copies:
            target.set_value(source.value, skip_validation=True)
        best = math.inf
        for _ in range(DESCENTS):
            stage = self._solve_piece(number, name)
            value = math.inf if stage.claimed is None else search.sign * stage.claimed
            if not value < best - STILL * (1 + abs(value)):
                return
            best = value
            direction = self._descent_direction()
            if not direction:
                return
            name = "descent"
            for v, slope in direction.items():
                v.set_value(v.value + DESCENT_STEP * slope, skip_validation=True)

    def _descent_direction(self) -> Mapping[Any, float]:
        """Return a direction of descent; empty if there is none, or no derivatives exist."""
        try:
            return mpcc_stationarity(self._single, node_limit=DESCENT_NODES).direction
        except ModelError:
            return {}

    def _solve_piece(self, number: int, name: str) -> BilevelStage:
        """Fix the smaller side of every pair, solve, and record the solution if there is one."""
        single, search, held = self._single, self._search, []
        assert self._session is not None
        for pair in single.pairs.values():
            left, right = (side.component for side in sides_of(pair))
            smaller = min(left, right, key=lambda v: v.value - v.lb)
            held.append((smaller, smaller.ub))
            smaller.setub(smaller.lb)
            smaller.set_value(smaller.lb)
        try:
            result = search.solve(self._session)
        finally:
            for v, high in held:
                v.setub(high)
        stage = _stage(number, name, result)
        if result.status.value in CONVERGED_STATUSES:
            search.record(stage, _values(single), _multipliers(single))
            return stage
        search.stages.append(stage)
        return replace(stage, claimed=None)


def variables_of_all(single: KktModel) -> list[Any]:
    """Return the model's own variables, all multipliers and all slacks, in a fixed order."""
    found = list(single.program.variables)
    for i, system in enumerate(single.systems):
        found += [*system.multipliers, *single.block.follower[i].slack.values()]
    return [v for v in found if not v.fixed]


def _follow_value_function(search: _Search, single: ValueFunctionModel) -> None:
    """Renew the linearisation at the solution of the last one, with a smaller and smaller slack."""
    session, verifier = search.session(single.model), search.verifier
    set_parameter(single.block.weight, PROXIMAL)
    for number in range(search.options.starts):
        values = search.starts.point(number)
        before = np.zeros(0)
        for renewal in range(RENEWALS):
            set_values(single.program.variables, values)
            set_values(verifier.program.variables, values)
            answers = verifier.lower_answers()
            if any(answer.status != "optimal" for answer in answers):
                break
            slopes = verifier.slopes(answers)
            for i, (answer, slope) in enumerate(zip(answers, slopes, strict=True)):
                single.linearise(i, answer.value, slope)
                set_values(single.program.followers[i].variables, answer.y)
            single.set_relaxation(max(SCHEDULE[-1], SCHEDULE[0] * SHRINK**renewal))
            result = search.solve(session)
            stage = _stage(number, f"linearisation {renewal}", result)
            if result.objective is None:
                search.stages.append(stage)
                break
            values = search.record(replace(stage, claimed=None), _values(single)).values
            now = np.array([v.value for v in verifier.program.leader])
            size = STILL * (1 + np.linalg.norm(now))
            if renewal >= LEAST_RENEWALS and np.linalg.norm(now - before) <= size:
                break
            before = now
