"""The KKT conditions of a follower, which replace its constraints in a single-level model.

For min_y f(y, x) s.t. g(y, x) <= 0, with multipliers mu and the Lagrangian L = f + sum_j mu_j g_j,
the conditions are

    grad_y L(y, mu; x) = 0,    0 <= mu_j _|_ -g_j(y, x) >= 0.

Bounds of variables are treated as constraints; equality constraints have free multipliers.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pyomo.environ as pyo
from pyomo.core.expr.calculus.derivatives import Modes, differentiate
from pyomo.core.expr.numvalue import is_potentially_variable

from bilad.formulations.complementarity import Complementarity, Side
from bilad.formulations.follower import FollowerProgram, FollowerRow, rows_of


class KktSystem:
    """The KKT conditions of a follower on a block, with complementarity constraints as pairs.

    A constraint or bound g <= 0 is replaced by g + slack = 0, slack >= 0, so that each side of a
    pair is a variable with the lower bound 0.

    Parameters
    ----------
    block : Pyomo block
        It receives the variables `multiplier[j]` and `slack[j]` of row j of the follower, and the
        constraints `slack_row[j]` and `stationarity[v]` for variable v.
    program : FollowerProgram
        Its objective and its inequalities are deactivated, and its bounds are removed.
    multipliers : mapping, optional
        Existing multiplier variables of the rows of a component, by component.

    Attributes
    ----------
    multipliers : list of Pyomo variable data
        That of each row, in the sign of the Lagrangian f + sum_j multiplier_j body_j.
    pairs : dict of int to Complementarity
        The complementarity of each inequality, by its row: the multiplier, and -body.

    Raises
    ------
    ModelError
        If the objective is unbounded, because it is linear in a variable without constraints; or
        if the leader fixed a multiplier, or changed the lower bound 0 of one.
    """

    def __init__(
        self,
        block: Any,
        program: FollowerProgram,
        multipliers: Mapping[Any, Any] = MappingProxyType({}),
    ) -> None:
        self.program, self._block = program, block
        rows = list(enumerate(program.rows))
        given = {
            (id(component), side): variable
            for component, variables in multipliers.items()
            for row, variable in zip(rows_of(component), variables, strict=True)
            for side in [row.side]
        }
        found = {j: given.get((id(row.component), row.side)) for j, row in rows}
        for j, variable in found.items():
            is_sided = program.rows[j].side != "equal"
            if variable is not None and (variable.fixed or (is_sided and variable.lb != 0)):
                what = f"{variable.name!r}, a multiplier that is fixed or has another lower bound"
                raise program.error(what, "a constraint of the leader in its place")
        new = [j for j, variable in found.items() if variable is None]
        block.multiplier = pyo.Var(new, initialize=0.0)
        self.multipliers = [
            block.multiplier[j] if variable is None else variable for j, variable in found.items()
        ]
        self._add_stationarity()
        self._add_slacks()

    def _add_stationarity(self) -> None:
        program = self.program
        lagrangian = program.cost + pyo.quicksum(
            multiplier * row.body
            for multiplier, row in zip(self.multipliers, program.rows, strict=True)
        )
        slopes = differentiate(lagrangian, wrt_list=program.variables, mode=Modes.reverse_symbolic)
        rows = {}
        for v, slope in enumerate(slopes):
            if is_potentially_variable(slope):
                rows[v] = slope
            elif pyo.value(slope) != 0:
                given = f"no constraint on {program.variables[v].name!r}"
                raise program.error(given, "an objective with a finite optimum")
        self._block.stationarity = pyo.Constraint(list(rows), rule=lambda b, v: rows[v] == 0)

    def _add_slacks(self) -> None:
        block, rows = self._block, self.program.rows
        self.program.objective.deactivate()
        sided = [j for j, row in enumerate(rows) if row.side != "equal"]
        block.slack = pyo.Var(sided, bounds=(0.0, None), initialize=0.0)
        block.slack_row = pyo.Constraint(sided, rule=lambda b, j: rows[j].body + b.slack[j] == 0)
        self.pairs = {}
        for j, slack in block.slack.items():
            _release(rows[j])
            multiplier = self.multipliers[j]
            multiplier.setlb(0.0)
            left, right = (Side.at_lower_bound(v, v) for v in (multiplier, slack))
            self.pairs[j] = Complementarity(multiplier * slack, left, right)

    def start_slacks(self) -> None:
        """Set the slacks to -body, or to 0 where it is negative."""
        for j, slack in self._block.slack.items():
            slack.set_value(max(0.0, -pyo.value(self.program.rows[j].body)))

    def multipliers_of(self, component: Any) -> list[Any]:
        """Return the multiplier variables of a constraint, or of the bounds of a variable.

        Parameters
        ----------
        component : Pyomo constraint or variable data
            A component of the follower. If it has a lower and an upper limit, the result contains
            the multiplier of the lower limit, then that of the upper limit.
        """
        rows = zip(self.multipliers, self.program.rows, strict=True)
        return [multiplier for multiplier, row in rows if row.component is component]


def _release(row: FollowerRow) -> None:
    """Remove a limit that a slack replaces."""
    if not row.is_bound:
        row.component.deactivate()
        return
    low, high = row.component.bounds
    row.component.domain = pyo.Reals
    row.component.setlb(None if row.side == "lower" else low)
    row.component.setub(None if row.side == "upper" else high)
