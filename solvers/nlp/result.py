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
        The beginnings of IPOPT's words for the status: the name of its ApplicationReturnStatus,
        which CasADi reports; and the text that the executable prints after "EXIT: ", or writes
        into its .sol file after "Ipopt VERSION: ", which differs between versions.
    """

    words: tuple[str, ...]

    OPTIMAL = "optimal", "Solve_Succeeded", "Optimal Solution Found"
    ACCEPTABLE = "acceptable", "Solved_To_Acceptable_Level", "Solved To Acceptable Level"
    FEASIBLE_POINT = (
        "feasible point",
        "Feasible_Point_Found",
        "Feasible point for square problem found",
        "Found feasible point for square problem",
    )
    INFEASIBLE = (
        "infeasible",
        "Infeasible_Problem_Detected",
        "Converged to a point of local infeasibility",
        "Converged to a locally infeasible point",
    )
    UNBOUNDED = "unbounded", "Diverging_Iterates", "Iterates diverging"
    ITERATION_LIMIT = (
        "iteration limit",
        "Maximum_Iterations_Exceeded",
        "Maximum Number of Iterations Exceeded",
    )
    TIME_LIMIT = (
        "time limit",
        "Maximum_CpuTime_Exceeded",
        "Maximum_WallTime_Exceeded",
        "Maximum CPU time exceeded",
        "Maximum wallclock time exceeded",
    )
    SMALL_STEP = (
        "small step",
        "Search_Direction_Becomes_Too_Small",
        "Search Direction is becoming Too Small",
        "Search Direction becomes Too Small",
    )
    USER_STOP = "user stop", "User_Requested_Stop", "Stopping optimization at current point"
    RESTORATION_FAILED = (
        "restoration failed",
        "Restoration_Failed",
        "Restoration Failed",
        "Restoration Phase Failed",
    )
    STEP_ERROR = "step error", "Error_In_Step_Computation", "Error in step computation"
    INVALID_NUMBER = "invalid number", "Invalid_Number_Detected", "Invalid number in NLP function"
    TOO_FEW_DEGREES_OF_FREEDOM = (
        "too few degrees of freedom",
        "Not_Enough_Degrees_Of_Freedom",
        "Problem has too few degrees of freedom",
    )
    INVALID_PROBLEM = (
        "invalid problem",
        "Invalid_Problem_Definition",
        "Problem has inconsistent variable bounds",
    )
    INVALID_OPTION = (
        "invalid option",
        "Invalid_Option",
        "Invalid option encountered",
        "Library loading failure",
    )
    UNRECOVERABLE_EXCEPTION = (
        "unrecoverable exception",
        "Unrecoverable_Exception",
        "Some uncaught Ipopt exception",
    )
    FOREIGN_EXCEPTION = (
        "foreign exception",
        "NonIpopt_Exception_Thrown",
        "Unknown Exception caught in Ipopt",
    )
    INSUFFICIENT_MEMORY = (
        "insufficient memory",
        "Insufficient_Memory",
        "Not enough memory",
        "Integer type too small",
    )
    INTERNAL_ERROR = "internal error", "Internal_Error", "Internal Error"
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
        given = message.strip().lower()
        for status in cls:
            if given.startswith(tuple(map(str.lower, status.words))):
                return status
        return cls.UNKNOWN

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
