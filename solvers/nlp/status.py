"""Every way in which IPOPT can stop, by one name, from either engine's own words."""

from __future__ import annotations

import enum


class NlpStatus(enum.Enum):
    """Why IPOPT stopped. It is a claim of the solver, not a certificate.

    ===========================  ==========================================================
    member                       meaning
    ===========================  ==========================================================
    OPTIMAL                      locally optimal within `tol`
    ACCEPTABLE                   locally optimal within the looser `acceptable_tol`
    FEASIBLE_POINT               a feasible point of a square system, nothing to optimise
    INFEASIBLE                   a local minimum of the constraint violation
    UNBOUNDED                    iterates diverge (past `diverging_iterates_tol`); no proof
    ITERATION_LIMIT              `max_iter` reached
    TIME_LIMIT                   `time_limit`, `max_wall_time` or `max_cpu_time` reached
    SMALL_STEP                   search direction too small to go on
    USER_STOP                    stopped on request
    RESTORATION_FAILED           no better point found by the restoration phase
    STEP_ERROR                   the linear system of a step could not be solved
    INVALID_NUMBER               NaN or infinity in a function or a derivative
    TOO_FEW_DEGREES_OF_FREEDOM   more equations than free variables
    INVALID_PROBLEM              inconsistent bounds or sides
    INVALID_OPTION               an option, or the library that it asks for, is not usable
    UNRECOVERABLE_EXCEPTION      IPOPT gave up on an exception of its own
    FOREIGN_EXCEPTION            an exception from outside IPOPT
    INSUFFICIENT_MEMORY          not enough memory
    INTERNAL_ERROR               IPOPT asks for a report to its authors
    UNKNOWN                      none of these; the raw words are in `NlpResult.message`
    ===========================  ==========================================================
    """

    OPTIMAL = "optimal"
    ACCEPTABLE = "acceptable"
    FEASIBLE_POINT = "feasible point"
    INFEASIBLE = "infeasible"
    UNBOUNDED = "unbounded"
    ITERATION_LIMIT = "iteration limit"
    TIME_LIMIT = "time limit"
    SMALL_STEP = "small step"
    USER_STOP = "user stop"
    RESTORATION_FAILED = "restoration failed"
    STEP_ERROR = "step error"
    INVALID_NUMBER = "invalid number"
    TOO_FEW_DEGREES_OF_FREEDOM = "too few degrees of freedom"
    INVALID_PROBLEM = "invalid problem"
    INVALID_OPTION = "invalid option"
    UNRECOVERABLE_EXCEPTION = "unrecoverable exception"
    FOREIGN_EXCEPTION = "foreign exception"
    INSUFFICIENT_MEMORY = "insufficient memory"
    INTERNAL_ERROR = "internal error"
    UNKNOWN = "unknown"

    @property
    def has_point(self) -> bool:
        """Whether IPOPT hands back an iterate of its own, with multipliers."""
        return self in _WITH_POINT


_WITH_POINT = frozenset(
    {
        NlpStatus.OPTIMAL,
        NlpStatus.ACCEPTABLE,
        NlpStatus.FEASIBLE_POINT,
        NlpStatus.INFEASIBLE,
        NlpStatus.UNBOUNDED,
        NlpStatus.ITERATION_LIMIT,
        NlpStatus.TIME_LIMIT,
        NlpStatus.SMALL_STEP,
        NlpStatus.USER_STOP,
        NlpStatus.RESTORATION_FAILED,
        NlpStatus.STEP_ERROR,
    }
)

# IPOPT's ApplicationReturnStatus, as CasADi spells it in stats()["return_status"].
RETURN_STATUS = {
    "Solve_Succeeded": NlpStatus.OPTIMAL,
    "Solved_To_Acceptable_Level": NlpStatus.ACCEPTABLE,
    "Feasible_Point_Found": NlpStatus.FEASIBLE_POINT,
    "Infeasible_Problem_Detected": NlpStatus.INFEASIBLE,
    "Diverging_Iterates": NlpStatus.UNBOUNDED,
    "Maximum_Iterations_Exceeded": NlpStatus.ITERATION_LIMIT,
    "Maximum_CpuTime_Exceeded": NlpStatus.TIME_LIMIT,
    "Maximum_WallTime_Exceeded": NlpStatus.TIME_LIMIT,
    "Search_Direction_Becomes_Too_Small": NlpStatus.SMALL_STEP,
    "User_Requested_Stop": NlpStatus.USER_STOP,
    "Restoration_Failed": NlpStatus.RESTORATION_FAILED,
    "Error_In_Step_Computation": NlpStatus.STEP_ERROR,
    "Invalid_Number_Detected": NlpStatus.INVALID_NUMBER,
    "Not_Enough_Degrees_Of_Freedom": NlpStatus.TOO_FEW_DEGREES_OF_FREEDOM,
    "Invalid_Problem_Definition": NlpStatus.INVALID_PROBLEM,
    "Invalid_Option": NlpStatus.INVALID_OPTION,
    "Unrecoverable_Exception": NlpStatus.UNRECOVERABLE_EXCEPTION,
    "NonIpopt_Exception_Thrown": NlpStatus.FOREIGN_EXCEPTION,
    "Insufficient_Memory": NlpStatus.INSUFFICIENT_MEMORY,
    "Internal_Error": NlpStatus.INTERNAL_ERROR,
}

# The start of what the executable prints after "EXIT: ", or writes into its .sol file after
# "Ipopt VERSION: ", in lower case. The two differ in a few words, and between versions.
EXIT_LINE = {
    "optimal solution found": NlpStatus.OPTIMAL,
    "solved to acceptable level": NlpStatus.ACCEPTABLE,
    "feasible point for square problem found": NlpStatus.FEASIBLE_POINT,
    "found feasible point for square problem": NlpStatus.FEASIBLE_POINT,
    "converged to a point of local infeasibility": NlpStatus.INFEASIBLE,
    "converged to a locally infeasible point": NlpStatus.INFEASIBLE,
    "iterates diverging": NlpStatus.UNBOUNDED,
    "maximum number of iterations exceeded": NlpStatus.ITERATION_LIMIT,
    "maximum cpu time exceeded": NlpStatus.TIME_LIMIT,
    "maximum wallclock time exceeded": NlpStatus.TIME_LIMIT,
    "search direction is becoming too small": NlpStatus.SMALL_STEP,
    "search direction becomes too small": NlpStatus.SMALL_STEP,
    "stopping optimization at current point": NlpStatus.USER_STOP,
    "restoration failed": NlpStatus.RESTORATION_FAILED,
    "restoration phase failed": NlpStatus.RESTORATION_FAILED,
    "error in step computation": NlpStatus.STEP_ERROR,
    "invalid number in nlp function": NlpStatus.INVALID_NUMBER,
    "problem has too few degrees of freedom": NlpStatus.TOO_FEW_DEGREES_OF_FREEDOM,
    "problem has inconsistent variable bounds": NlpStatus.INVALID_PROBLEM,
    "invalid option encountered": NlpStatus.INVALID_OPTION,
    "library loading failure": NlpStatus.INVALID_OPTION,
    "some uncaught ipopt exception": NlpStatus.UNRECOVERABLE_EXCEPTION,
    "unknown exception caught in ipopt": NlpStatus.FOREIGN_EXCEPTION,
    "not enough memory": NlpStatus.INSUFFICIENT_MEMORY,
    "integer type too small": NlpStatus.INSUFFICIENT_MEMORY,
    "internal error": NlpStatus.INTERNAL_ERROR,
}


def from_return_status(name: str) -> NlpStatus:
    """Status for CasADi's `return_status`; UNKNOWN for a name that no one knows."""
    return RETURN_STATUS.get(name, NlpStatus.UNKNOWN)


def from_exit_line(text: str) -> NlpStatus:
    """Status for the words after "EXIT: " or "Ipopt VERSION: "; UNKNOWN for others."""
    words = text.strip().lower()
    for start, status in EXIT_LINE.items():
        if words.startswith(start):
            return status
    return NlpStatus.UNKNOWN
