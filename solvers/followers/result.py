"""The result of a bilevel solve: what was claimed, what was recomputed, and what is proved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bilad.models.representation import Represented

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True, repr=False)
class BilevelStage(Represented):
    """One solve of a single-level model.

    Attributes
    ----------
    start : int
        The number of the start, from 0.
    name : str
        Such as "t = 0.01", "polish" or "branching".
    claimed : float or None
        The objective of the single-level model; None if its solver returned no point.
    engine_status : str
        The status of the solver, which proves nothing about the bilevel problem.
    seconds : float
    objective : float or None
        The leader's objective at the verified point.
    lower_gap, violation : float or None
        See `BilevelSolution`, here for the point that is reported in place of the claimed one.
    """

    start: int
    name: str
    claimed: float | None
    engine_status: str
    seconds: float
    objective: float | None = None
    lower_gap: float | None = None
    violation: float | None = None


@dataclass(frozen=True, eq=False, repr=False)
class BilevelSolution(Represented):
    """The best point that a method found, verified by solving the followers on their own.

    Attributes
    ----------
    method : str
    status : str
        "optimal" (the bound is attained), "feasible" (verified), "unproved" (the recomputation
        does not confirm the point), "infeasible" or "unbounded" (proved), or "no solution found".
    termination : str
        "converged", "time limit", "node limit", "interrupted", or "error: ...".
    objective : float or None
        The leader's objective at the reported point, which is the value of the model's variables.
    claimed : float or None
        The objective that the single-level model claimed for the stage of the reported point.
    bound : float or None
        A proved bound on the optimal value: lower if the leader minimises, upper otherwise.
    gap : float or None
        |objective - bound| / (1 + |objective|); None without a bound.
    lower_gap : float or None
        The largest (f - v) / (1 + |v|) of a follower, where f is its minimised objective at the
        reported point, and v its recomputed optimal value.
    violation : float or None
        The largest violation of a constraint or bound of any level at the reported point, in its
        own unit.
    own_selection : float or None
        The leader's objective if the follower responds with the solution that its own solver
        returns; None if that violates a constraint of the leader, or is not known.
    pessimistic : float or None
        The leader's worst objective over all solutions of the follower, infinite if one of them
        violates a constraint of the leader; None if it is not known.
    largest_multiplier : float or None
        The largest multiplier of a follower in the last single-level model.
    diverging : str or None
        The name of the constraint, or of the variable with the bound, with this multiplier, if it
        exceeds 1e6.
    values : mapping
        The values of the variables of the model.
    stages : tuple of BilevelStage
    nodes : int
        Nodes of branching.
    seconds : float
    engine : str or None
        Name and version of the nonlinear solver; None if only HiGHS and Clarabel were used.
    """

    method: str
    status: str
    termination: str
    objective: float | None
    claimed: float | None
    bound: float | None
    gap: float | None
    lower_gap: float | None
    violation: float | None
    own_selection: float | None
    pessimistic: float | None
    largest_multiplier: float | None
    diverging: str | None
    values: Mapping[Any, float]
    stages: tuple[BilevelStage, ...]
    nodes: int
    seconds: float
    engine: str | None

    def summary(self) -> dict[str, Any]:
        """Return the status, the objective and its bound, and how the point was verified."""
        names = ("status", "objective", "bound", "gap", "lower_gap", "violation", "method")
        return {name: getattr(self, name) for name in (*names, "termination", "seconds")}

    def to_frame(self) -> DataFrame:
        """Return one row a variable of the model, under its name: its "value"."""
        import pandas  # slow to import

        names = map(str, self.values)
        return pandas.DataFrame({"value": list(self.values.values())}, index=list(names))

    @property
    def solved(self) -> bool:
        """Whether the reported point is verified: the status is "optimal" or "feasible"."""
        return self.status in {"optimal", "feasible"}
