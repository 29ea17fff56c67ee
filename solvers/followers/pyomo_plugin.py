"""Bilevel models in Pyomo's registries: `SolverFactory("bilad.bilevel")`, and transformations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyomo.environ as pyo
from pyomo.core import Transformation
from pyomo.opt import SolverResults, SolverStatus, TerminationCondition

from bilad.formulations.bilevel_model import (
    BilevelProgram,
    BilevelReformulation,
    DualityModel,
    KktModel,
    ValueFunctionModel,
)
from bilad.formulations.follower import ModelError
from bilad.solvers.followers.lower_problem import LowerProblem, set_values
from bilad.solvers.followers.result import BilevelSolution
from bilad.solvers.followers.solve import solve_bilevel

_Condition, _Status = TerminationCondition, SolverStatus
TERMINATION = {
    "optimal": (_Condition.optimal, _Status.ok),
    "feasible": (_Condition.feasible, _Status.ok),
    "infeasible": (_Condition.infeasible, _Status.warning),
    "unbounded": (_Condition.unbounded, _Status.warning),
    "unproved": (_Condition.other, _Status.warning),
    "no solution found": (_Condition.noSolution, _Status.warning),
}


class _Reformulate(Transformation):  # type: ignore[misc]
    """A transformation that replaces the followers of a model in place; parameters are fixed."""

    kind: type[BilevelReformulation]

    def _apply_to(self, model: Any, **options: Any) -> None:
        self._write(model, **options)

    def _write(self, model: Any, **options: Any) -> BilevelReformulation:
        written = self.kind(model, in_place=True, **options)
        for v in written.parameters():
            v.fix()
        return written


@pyo.TransformationFactory.register(
    "bilad.kkt", doc="Replace followers by KKT conditions; option relaxation, default 'scholtes'"
)
class KktTransformation(_Reformulate):
    """See `KktModel`."""

    kind = KktModel


@pyo.TransformationFactory.register(
    "bilad.duality", doc="Replace followers by duality, with a relaxed summed gap"
)
class DualityTransformation(_Reformulate):
    """See `DualityModel`."""

    kind = DualityModel


@pyo.TransformationFactory.register(
    "bilad.value_function", doc="Replace followers by their value, linearised at current values"
)
class ValueFunctionTransformation(_Reformulate):
    """See `ValueFunctionModel`; the followers are solved at the current values of the model."""

    kind = ValueFunctionModel

    def _apply_to(self, model: Any, **options: Any) -> None:
        program = BilevelProgram(model)
        problems = [LowerProblem(follower, model) for follower in program.followers]
        solved = []
        for problem in problems:
            answer = problem.solve()
            if answer.status != "optimal":
                given = f"a follower that is {answer.status} at the current values"
                raise ModelError("model", given, "values of the leader at which it has a solution")
            solved.append((answer, problem.slopes(answer)))
        written = self._write(model, **options)
        assert isinstance(written, ValueFunctionModel)
        for i, (answer, slopes) in enumerate(solved):
            written.linearise(i, answer.value, slopes)
            set_values(written.program.followers[i].variables, answer.y)


@pyo.SolverFactory.register("bilad.bilevel", doc="Bilevel models with convex followers")
class BilevelSolver:
    """`solve_bilevel` as a Pyomo solver.

    Parameters
    ----------
    options : mapping, optional
        Keywords of `solve_bilevel`, such as {"method": "kkt", "starts": 5}.
    """

    name = "bilad.bilevel"

    def __init__(self, options: Mapping[str, Any] | None = None, **keywords: Any) -> None:
        self.options = {**(options or {}), **keywords}

    def available(self, exception_flag: bool = False) -> bool:
        """Return True: HiGHS, Clarabel and an IPOPT are installed with the package."""
        return True

    def license_is_valid(self) -> bool:
        """Return True: no licence is needed."""
        return True

    def __enter__(self) -> BilevelSolver:
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing: the solver holds no resource."""

    def solve(
        self,
        model: Any,
        options: Mapping[str, Any] | None = None,
        timelimit: float | None = None,
        **keywords: Any,
    ) -> SolverResults:
        """Solve a bilevel model, and load the verified point.

        Parameters
        ----------
        model : Pyomo model
        options : mapping, optional
            Keywords of `solve_bilevel`, which take precedence over those of the solver.
        timelimit : float, optional
            Seconds.
        **keywords
            More keywords of `solve_bilevel`.

        Returns
        -------
        pyomo.opt.SolverResults
            `results.solver.bilevel_solution` is the `BilevelSolution`.
        """
        given = {**self.options, **(options or {}), **keywords}
        if timelimit is not None:
            given["time_limit"] = timelimit
        found = solve_bilevel(model, **given)
        return _results(model, found)


def _results(model: Any, found: BilevelSolution) -> SolverResults:
    results, program = SolverResults(), BilevelProgram(model)
    condition, status = TERMINATION[found.status]
    results.solver.termination_condition, results.solver.status = condition, status
    results.solver.termination_message = f"{found.status}; {found.termination}"
    results.solver.wallclock_time = found.seconds
    results.solver.bilevel_solution = found
    results.problem.sense = program.objective.sense
    low, high = (found.bound, found.objective)
    if program.sign < 0:
        low, high = high, low
    results.problem.lower_bound, results.problem.upper_bound = low, high
    return results
