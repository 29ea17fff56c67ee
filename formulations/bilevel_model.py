"""Bilevel models written in Pyomo, and the single-level models that replace their followers.

A bilevel model is a Pyomo model with blocks `Follower`. Everything else belongs to the leader, who
also chooses among several solutions of the followers (the optimistic formulation).
"""

from __future__ import annotations

from typing import Any

import pyomo.environ as pyo
from pyomo.common.collections import ComponentMap, ComponentSet
from pyomo.common.modeling import unique_component_name
from pyomo.core.base.block import BlockData
from pyomo.core.expr import identify_variables

from bilad.formulations.complementarity import (
    RELAXATIONS,
    Complementarity,
    penalty,
    relax,
)
from bilad.formulations.follower import MULTIPLIERS, Follower, FollowerProgram, ModelError
from bilad.formulations.kkt_system import KktSystem
from bilad.formulations.leader import set_parameter
from bilad.models.validation import ArgumentError, one_of

SMALLEST = 1e-8  # the relaxation parameter of a model that is written for another solver


class BilevelProgram:
    """The leader and the followers of a Pyomo model, after validation.

    Parameters
    ----------
    model : Pyomo model or block
        It is not changed.

    Attributes
    ----------
    model : Pyomo block
    followers : list of FollowerProgram
    objective : Pyomo objective data
        The leader's.
    sign : int
        1 if the leader minimises, -1 otherwise.
    variables : list of Pyomo variable data
        All variables of the model in a fixed order, which is that of its clones too.
    leader : list of Pyomo variable data
        The variables that are used and not fixed, and belong to no follower.
    multipliers : list of Pyomo variable data
        The multipliers that the leader may use.

    Raises
    ------
    ModelError
        If a level does not have exactly one active objective, a follower is not of the accepted
        form or contains a variable that its argument `leader` does not name, followers are nested,
        or a variable belongs to two followers or to no part of the model.
    """

    def __init__(self, model: Any) -> None:
        if not isinstance(model, BlockData):
            raise ArgumentError("model", type(model).__name__, "a Pyomo model with a Follower")
        self.model = model
        blocks = [b for b in model.block_data_objects(active=True) if is_follower(b)]
        if not blocks:
            raise ModelError("model", f"{model.name!r} without an active Follower", "one or more")
        own = ComponentMap((block, block.own_variables()) for block in blocks)
        self._refuse_overlaps(own)
        self.followers = [FollowerProgram(block, own[block]) for block in blocks]
        self.objective = self._leaders_objective(blocks)
        self.sign = 1 if self.objective.sense == pyo.minimize else -1
        self.variables = list(ComponentSet(model.component_data_objects(pyo.Var)))
        self.multipliers = [
            v for v in self.variables if v.parent_component().local_name == MULTIPLIERS
        ]
        owned = ComponentSet(v for variables in own.values() for v in variables)
        owned.update(self.multipliers)
        self.leader = self._leaders_variables(owned)
        self._check_parameters(owned)

    @property
    def constraints(self) -> list[Any]:
        """The active constraints of both levels."""
        return list(self.model.component_data_objects(pyo.Constraint, active=True))

    @property
    def is_game(self) -> bool:
        """Whether a follower depends on the variables of another one."""
        owned = ComponentSet(v for follower in self.followers for v in follower.variables)
        return any(v in owned for follower in self.followers for v in follower.parameters)

    def _refuse_overlaps(self, own: ComponentMap) -> None:
        owner: ComponentMap = ComponentMap()
        for block, variables in own.items():
            parent = block.parent_block()
            while parent is not None and not is_follower(parent):
                parent = parent.parent_block()
            if parent is not None:
                given = f"{block.name!r} within {parent.name!r}"
                raise ModelError("follower", given, "followers that are not nested")
            for v in variables:
                if v in owner:
                    given = f"{v.name!r} of the followers {owner[v].name!r} and {block.name!r}"
                    raise ModelError("variables", given, "each variable in one follower")
                owner[v] = block

    def _leaders_objective(self, blocks: list[Any]) -> Any:
        theirs = ComponentSet(follower.objective for follower in self.followers)
        active = self.model.component_data_objects(pyo.Objective, active=True)
        found = [objective for objective in active if objective not in theirs]
        if len(found) != 1:
            names = " and ".join(repr(objective.name) for objective in found)
            given = f"{names or 'no objective'}: {len(found)} active objectives of the leader"
            raise ModelError("model", given, "exactly one")
        return found[0]

    def _leaders_variables(self, owned: ComponentSet) -> list[Any]:
        bodies = [self.objective.expr, *(row.expr for row in self.constraints)]
        bodies += [follower.cost for follower in self.followers]
        used = ComponentSet()
        for body in bodies:
            used.update(identify_variables(body, include_fixed=False))
        known = ComponentSet(self.variables)
        for v in used:
            if v not in known:
                given = f"{v.name!r}, which is not part of it"
                raise ModelError("model", given, "variables of the model")
        return [v for v in self.variables if v in used and v not in owned]

    def _check_parameters(self, owned: ComponentSet) -> None:
        for follower in self.followers:
            allowed = follower.block.leader_variables()
            for v in follower.parameters:
                if allowed is not None and v not in owned and v not in allowed:
                    given = f"{v.name!r}, which its argument `leader` does not name"
                    raise follower.error(given, "own variables, and those of `leader`")


def is_follower(block: Any) -> bool:
    """Return whether a block is a `Follower`, or one entry of an indexed one."""
    return isinstance(block.parent_component(), Follower)


class BilevelReformulation:
    """A single-level model in which conditions replace the followers.

    Parameters
    ----------
    model : Pyomo model
        With one or more followers.
    in_place : bool, default False
        Whether the model itself is changed, instead of a clone.

    Attributes
    ----------
    original : Pyomo model
        The argument.
    model : Pyomo model
        The single-level model. Its block `bilad` contains the relaxation parameter `t`, a variable
        with equal bounds (1e-8 at the beginning), and what replaces the followers.
    program : BilevelProgram
        The followers and the leader of `model`, before they were replaced.
    block : Pyomo block
        The block `bilad`.
    pairs : dict of (int, int) to Complementarity
        The complementarity of row j of follower i.
    """

    def __init__(self, model: Any, in_place: bool = False) -> None:
        BilevelProgram(model)
        self.original, self.model = model, model if in_place else model.clone()
        self.program = BilevelProgram(self.model)
        self.block = block = pyo.Block()
        self.model.add_component(unique_component_name(self.model, "bilad"), block)
        block.t = pyo.Var()
        self.set_relaxation(SMALLEST)
        block.follower = pyo.Block(range(len(self.program.followers)))
        self.pairs: dict[tuple[int, int], Complementarity] = {}

    def set_relaxation(self, t: float) -> None:
        """Set the relaxation parameter t > 0."""
        set_parameter(self.block.t, t)

    def parameters(self) -> list[Any]:
        """Return the variables with equal bounds that stand for parameters."""
        return [self.block.t]

    def write(self, path: str) -> None:
        """Write the model at the current parameters for another solver.

        Parameters
        ----------
        path : str
            The suffix is the format: ".nl", ".lp" or ".gms".
        """
        for v in self.parameters():
            v.fix()
        try:
            self.model.write(str(path))
        finally:
            for v in self.parameters():
                v.unfix()


class KktModel(BilevelReformulation):
    """The lower level replaced by its KKT conditions, with relaxed complementarity constraints.

    Parameters
    ----------
    model, in_place
        As in `BilevelReformulation`.
    relaxation : str or None, default "scholtes"
        A key of `RELAXATIONS`. None omits the constraints on the products, for algorithms that
        branch on the pairs.

    Attributes
    ----------
    systems : list of KktSystem
        Those of the followers, on the blocks `bilad.follower[i]`.

    References
    ----------
    Scholtes, Convergence properties of a regularization scheme for mathematical programs with
    complementarity constraints, SIAM J. Optim. 11, 2001.
    """

    def __init__(
        self, model: Any, relaxation: str | None = "scholtes", in_place: bool = False
    ) -> None:
        if relaxation is not None:
            one_of(relaxation, "relaxation", RELAXATIONS)
        super().__init__(model, in_place)
        self.systems = [
            KktSystem(self.block.follower[i], follower, follower.block.given_multipliers)
            for i, follower in enumerate(self.program.followers)
        ]
        self.pairs = {
            (i, j): pair
            for i, system in enumerate(self.systems)
            for j, pair in system.pairs.items()
        }
        if relaxation is not None:
            self._relax(relaxation)

    def _relax(self, name: str) -> None:
        relaxation, objective = RELAXATIONS[name], self.program.objective
        relax(self.block, self.pairs, relaxation)
        if relaxation.penalised:
            added = penalty(self.block, self.pairs.values(), relaxation)
            objective.set_value(objective.expr + self.program.sign * added)

    def start(self, i: int, values: Any, multipliers: Any) -> None:
        """Set the variables of follower i, its multipliers and its slacks.

        Parameters
        ----------
        i : int
        values, multipliers : sequences of float
            For the variables and the rows of `program.followers[i]`.
        """
        system = self.systems[i]
        for v, value in zip(system.program.variables, values, strict=True):
            v.set_value(float(value), skip_validation=True)
        for v, value in zip(system.multipliers, multipliers, strict=True):
            v.set_value(float(value), skip_validation=True)
        system.start_slacks()

    def multiplier_of(self, component: Any) -> Any:
        """Return the multiplier of a constraint, or of a variable's bounds, in the new model.

        Signs, and the form of the result, are those of `FollowerData.multiplier_of`.

        Parameters
        ----------
        component : Pyomo constraint or variable
            Of a follower, in the original or in the new model.

        Raises
        ------
        ArgumentError
            If no follower has the component, or it has no limit.
        """
        if getattr(component, "ctype", None) in {pyo.Var, pyo.Constraint}:
            if component.is_indexed():
                return {index: self.multiplier_of(entry) for index, entry in component.items()}
            here = component
            if component.model() is self.original.model() is not self.model.model():
                here = self.model.find_component(pyo.ComponentUID(component, context=self.original))
            found = [m for system in self.systems for m in system.multipliers_of(here)]
            if found:
                return found[0] if len(found) == 1 else tuple(found)
        given = str(getattr(component, "name", component))
        raise ArgumentError("component", given, "a constraint or bounded variable of a follower")

    def constraint_of(self, multiplier: Any) -> Any:
        """Return the constraint, or the variable with the bound, that a multiplier belongs to.

        Parameters
        ----------
        multiplier : Pyomo variable data
            Of the new model.

        Returns
        -------
        Pyomo constraint or variable data of the original model

        Raises
        ------
        ArgumentError
            If the variable is no multiplier.
        """
        for system in self.systems:
            for v, row in zip(system.multipliers, system.program.rows, strict=True):
                if v is multiplier:
                    place = pyo.ComponentUID(row.component, context=self.model)
                    return self.original.find_component(place)
        given = str(getattr(multiplier, "name", multiplier))
        raise ArgumentError("multiplier", given, "a multiplier of the single-level model")


class DualityModel(KktModel):
    """The lower level replaced by primal and dual feasibility and a duality gap of at most t.

    With slacks s >= 0 and multipliers mu >= 0 that satisfy stationarity, the gap of a convex
    program between f and the Lagrangian dual is the sum of mu_j s_j. Each follower has a gap of its
    own.

    Parameters
    ----------
    model, in_place
        As in `BilevelReformulation`.

    References
    ----------
    Kleinert, Labbe, Ljubic and Schmidt, A survey on mixed-integer programming techniques in bilevel
    optimization, EURO J. Comput. Optim. 9, 2021, for strong duality in place of complementarity.
    """

    def __init__(self, model: Any, in_place: bool = False) -> None:
        super().__init__(model, None, in_place)
        gaps = {}
        for i, system in enumerate(self.systems):
            if system.pairs:
                total = pyo.quicksum(pair.product for pair in system.pairs.values())
                gaps[i, 0] = Complementarity(total)
        relax(self.block, gaps, RELAXATIONS["scholtes"])


class ValueFunctionModel(BilevelReformulation):
    """The lower level replaced by a bound on its objective: its linearised optimal value plus t.

    The constraint is f(y, x) <= v(a) + v'(a) (x - a) + t, where v is the optimal value. It is a
    linearisation at a point a, which has to be renewed; it is exact at x = a only. The leader's
    objective contains a proximal term, `weight` ||x - a||^2.

    Parameters
    ----------
    model, in_place
        As in `BilevelReformulation`.

    Raises
    ------
    ModelError
        If the leader uses multipliers of a follower, which this model does not contain.

    References
    ----------
    Outrata, On the numerical solution of a class of Stackelberg problems, Z. Oper. Res. 34, 1990.
    Ye and Zhu, Optimality conditions for bilevel programming problems, Optimization 33, 1995.
    """

    def __init__(self, model: Any, in_place: bool = False) -> None:
        super().__init__(model, in_place)
        program, block = self.program, self.block
        if program.multipliers:
            given = "multipliers of a follower"
            raise ModelError("model", given, "none with a value function; kkt contains them")
        block.weight = pyo.Var()
        set_parameter(block.weight, 0.0)
        moved = []
        for i, follower in enumerate(program.followers):
            part, parameters = block.follower[i], follower.parameters
            part.value = pyo.Var(initialize=0.0)
            part.slope = pyo.Var(range(len(parameters)), initialize=0.0)
            part.point = pyo.Var(range(len(parameters)), initialize=0.0)
            moves = [x - part.point[k] for k, x in enumerate(parameters)]
            moved += moves
            value = part.value + pyo.quicksum(part.slope[k] * d for k, d in enumerate(moves))
            part.optimal = pyo.Constraint(expr=follower.cost - value <= block.t)
            follower.objective.deactivate()
        proximal = block.weight * pyo.quicksum(d**2 for d in moved)
        program.objective.set_value(program.objective.expr + program.sign * proximal)

    def linearise(self, i: int, value: float, slopes: Any) -> None:
        """Renew the linearisation of follower i at the current values of its parameters.

        Parameters
        ----------
        i : int
        value : float
            v, the optimal value of the minimised objective.
        slopes : sequence of float
            The derivatives of v with respect to `program.followers[i].parameters`.
        """
        part = self.block.follower[i]
        set_parameter(part.value, float(value))
        for k, x in enumerate(self.program.followers[i].parameters):
            set_parameter(part.slope[k], float(slopes[k]))
            set_parameter(part.point[k], x.value)

    def parameters(self) -> list[Any]:
        """Return the variables with equal bounds that stand for parameters."""
        found = [self.block.t, self.block.weight]
        for part in self.block.follower.values():
            found += [part.value, *part.slope.values(), *part.point.values()]
        return found
