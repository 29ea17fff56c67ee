"""The result of one run of IPOPT: its termination status, the point, and the multipliers."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from pyomo.common.collections import ComponentMap


class NlpStatus(enum.Enum):
    """The reason why IPOPT stopped, as IPOPT reports it. It does not certify the point.

    Most names are IPOPT's own. `ACCEPTABLE` means optimal within `acceptable_tol`, `FEASIBLE_POINT`
    that a square system was solved, `INFEASIBLE` that a local minimum of the constraint violation
    was found, and `UNBOUNDED` that an iterate exceeds `diverging_iterates_tol`, which proves
    nothing. For `UNKNOWN`, `NlpResult.message` contains IPOPT's words.

    Attributes
    ----------
    words : tuple of str
        The beginnings of IPOPT's words for the status: the name of its ApplicationReturnStatus, by
        which CasADi reports it; and the text that the executable prints after "EXIT: ", or writes
        into its .sol file after "Ipopt VERSION: ", which differs between versions. In lower case,
        with spaces instead of underscores.
    """

    words: tuple[str, ...]

    OPTIMAL = "optimal", "solve succeeded", "optimal solution found"
    ACCEPTABLE = "acceptable", "solved to acceptable level"
    FEASIBLE_POINT = (
        "feasible point",
        "feasible point found",
        "feasible point for square problem found",
        "found feasible point for square problem",
    )
    INFEASIBLE = (
        "infeasible",
        "infeasible problem detected",
        "converged to a point of local infeasibility",
        "converged to a locally infeasible point",
    )
    UNBOUNDED = "unbounded", "diverging iterates", "iterates diverging"
    ITERATION_LIMIT = (
        "iteration limit",
        "maximum iterations exceeded",
        "maximum number of iterations exceeded",
    )
    TIME_LIMIT = (
        "time limit",
        "maximum cputime exceeded",
        "maximum walltime exceeded",
        "maximum cpu time exceeded",
        "maximum wallclock time exceeded",
    )
    SMALL_STEP = (
        "small step",
        "search direction becomes too small",
        "search direction is becoming too small",
    )
    USER_STOP = "user stop", "user requested stop", "stopping optimization at current point"
    RESTORATION_FAILED = "restoration failed", "restoration failed", "restoration phase failed"
    STEP_ERROR = "step error", "error in step computation"
    INVALID_NUMBER = "invalid number", "invalid number detected", "invalid number in nlp function"
    TOO_FEW_DEGREES_OF_FREEDOM = (
        "too few degrees of freedom",
        "not enough degrees of freedom",
        "problem has too few degrees of freedom",
    )
    INVALID_PROBLEM = (
        "invalid problem",
        "invalid problem definition",
        "problem has inconsistent variable bounds",
    )
    INVALID_OPTION = "invalid option", "invalid option", "library loading failure"
    UNRECOVERABLE_EXCEPTION = (
        "unrecoverable exception",
        "unrecoverable exception",
        "some uncaught ipopt exception",
    )
    FOREIGN_EXCEPTION = (
        "foreign exception",
        "nonipopt exception thrown",
        "unknown exception caught in ipopt",
    )
    INSUFFICIENT_MEMORY = (
        "insufficient memory",
        "insufficient memory",
        "not enough memory",
        "integer type too small",
    )
    INTERNAL_ERROR = "internal error", "internal error"
    UNKNOWN = ("unknown",)

    def __new__(cls, value: str, *words: str) -> NlpStatus:
        """Make a member of its value and of IPOPT's words."""
        member = object.__new__(cls)
        member._value_ = value
        member.words = words
        return member

    @classmethod
    def of(cls, message: str) -> NlpStatus:
        """Return the status that a message of IPOPT reports, whichever engine it comes from."""
        given = message.strip().lower().replace("_", " ")
        reported = (status for status in cls if given.startswith(status.words))
        return next(reported, cls.UNKNOWN)

    @property
    def has_point(self) -> bool:
        """Whether IPOPT returns an iterate of its own, with multipliers."""
        return self not in _WITHOUT_POINT


_WITHOUT_POINT = frozenset(
    {
        NlpStatus.INVALID_NUMBER,
        NlpStatus.TOO_FEW_DEGREES_OF_FREEDOM,
        NlpStatus.INVALID_PROBLEM,
        NlpStatus.INVALID_OPTION,
        NlpStatus.UNRECOVERABLE_EXCEPTION,
        NlpStatus.FOREIGN_EXCEPTION,
        NlpStatus.INSUFFICIENT_MEMORY,
        NlpStatus.INTERNAL_ERROR,
        NlpStatus.UNKNOWN,
    }
)


@dataclass(frozen=True, eq=False)
class NlpResult:
    """The result of one run of IPOPT on a Pyomo model.

    Let F be the optimal value of the objective *in the model's own sense* (not negated for a
    maximisation).

    - The dual of a constraint is dF / d(right-hand side of its active side).
    - The reduced cost of a variable is dF / d(its active bound).

    Hence, in a minimisation, an active `>=` side or lower bound has a multiplier >= 0, and an
    active `<=` side or upper bound has a multiplier <= 0; in a maximisation the signs are reversed.
    For a constraint with equal sides and for a variable with equal bounds, F is differentiated
    with respect to both at once.

    Attributes
    ----------
    status : NlpStatus
        The reason why IPOPT stopped.
    objective : float or None
        The objective at the point, in the model's own sense; 0.0 for a model without an objective;
        None if there is no point, and then the variables of the model are unchanged.
    iterations : int or None
        The number of iterations of IPOPT; None if the engine does not report it.
    seconds : float
        Wall time of this solve.
    engine : str
        "IPOPT executable" or "IPOPT in CasADi".
    version : str
        The version of IPOPT, such as "3.14.19".
    message : str
        The reason why IPOPT stopped, in the engine's own words.
    values : ComponentMap
        The value of each variable at the point. It is empty if there is no point.
    duals : ComponentMap
        The dual of each constraint. It is empty if there is no point.
    reduced_costs : ComponentMap
        The reduced cost of each variable. It is empty if there is no point.
    evaluating : float or None
        The part of `seconds` spent in functions and derivatives; None if the engine does not report
        it.
    """

    status: NlpStatus
    objective: float | None
    iterations: int | None
    seconds: float
    engine: str
    version: str
    message: str
    values: ComponentMap = field(repr=False)
    duals: ComponentMap = field(repr=False)
    reduced_costs: ComponentMap = field(repr=False)
    evaluating: float | None = None
