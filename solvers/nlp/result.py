"""What one run of IPOPT on a Pyomo model gives back."""

from __future__ import annotations

from dataclasses import dataclass, field

from pyomo.common.collections import ComponentMap

from bilad.solvers.nlp.status import NlpStatus


@dataclass(frozen=True, eq=False)
class NlpResult:
    """The claim of one IPOPT run.

    Let F be the optimal objective *in the model's own sense* (not negated for a maximisation).

    - dual of a constraint: dF / d(right-hand side of its active side);
    - reduced cost of a variable: dF / d(its active bound).

    So when minimising, an active `>=` side or lower bound has a multiplier >= 0 and an active
    `<=` side or upper bound one <= 0; when maximising, the other way round. A range whose sides
    coincide, and a variable with equal bounds, move with both sides.

    Attributes
    ----------
    status : NlpStatus
        Why IPOPT stopped.
    objective : float or None
        Objective at the point, in the model's own sense; 0.0 for a model without objective; None
        when there is no point, and then the variables of the model are left as they were.
    iterations : int or None
        IPOPT's own count; None where the engine did not tell.
    seconds : float
        Wall time of this solve.
    engine : str
        "IPOPT executable" or "IPOPT in CasADi".
    version : str
        IPOPT's version, such as "3.14.19".
    message : str
        The exit in the engine's own words.
    values : ComponentMap
        Variable -> value at the point. Empty when there is no point.
    duals : ComponentMap
        Constraint -> dual. Empty when there is no point.
    reduced_costs : ComponentMap
        Variable -> reduced cost. Empty when there is no point.
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
