"""A convex lower level written in Pyomo: the block `Follower`, and the program that it states.

A program is min_y f(y, x) s.t. g(y, x) <= 0, h(y, x) = 0. Its variables y are those of the block;
all other variables x are constants for it. A maximised objective is negated. Bounds of variables
are constraints. A constraint without a variable of the follower only restricts the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyomo.environ as pyo
from pyomo.common.collections import ComponentMap, ComponentSet
from pyomo.core.base.block import BlockData
from pyomo.core.base.global_set import UnindexedComponent_index, UnindexedComponent_set
from pyomo.core.expr import identify_variables

from bilad.models.validation import ArgumentError

NOT_WRITTEN = {"SOSConstraint", "LogicalConstraint", "Complementarity", "Disjunct", "Disjunction"}
MULTIPLIERS = "bilad_multiplier"  # the variables that `multiplier_of` adds to the block
INFINITE = 1e20  # solvers treat a limit of this size as none
EXPECTED_VARIABLES = "variables of the model: a list, or a rule (parent block, *index) -> list"


class ModelError(ArgumentError):
    """A lower level is not a convex program of the accepted form.

    Attributes
    ----------
    given, expected : str
    """

    def __init__(self, argument: str, given: str, expected: str) -> None:
        super().__init__(argument, given, expected)
        self.given, self.expected = given, expected


@dataclass(frozen=True)
class FollowerRow:
    """A constraint of the follower: body = 0 or body <= 0.

    Attributes
    ----------
    body : Pyomo expression
    component : Pyomo constraint or variable data
        The constraint, or the variable whose bound it is.
    side : {"equal", "lower", "upper"}
        The limit of the constraint, or the bound of the variable.
    """

    body: Any
    component: Any
    side: str

    @property
    def is_bound(self) -> bool:
        """Whether the row is a bound of a variable."""
        return self.component.ctype is pyo.Var


def rows_of(component: Any) -> list[FollowerRow]:
    """Return the rows of a constraint, or of the bounds of a variable: the lower limit first."""
    low, body, high = (
        (component.lower, component, component.upper)
        if component.ctype is pyo.Var
        else component.to_bounded_expression(evaluate_bounds=False)
    )
    if not component.has_lb() or component.lb <= -INFINITE:
        low = None
    if not component.has_ub() or component.ub >= INFINITE:
        high = None
    if low is not None and high is not None and component.lb == component.ub:
        return [FollowerRow(body - high, component, "equal")]
    rows = []
    if low is not None:
        rows.append(FollowerRow(low - body, component, "lower"))
    if high is not None:
        rows.append(FollowerRow(body - high, component, "upper"))
    return rows


class FollowerData(BlockData):  # type: ignore[misc]
    """One follower: an ordinary Pyomo block, with multipliers that the leader may use."""

    def multiplier_of(self, component: Any) -> Any:
        """Return the multiplier of a constraint, or of the bounds of a variable, of this follower.

        The multiplier is a variable of the model, which the leader's objective and constraints may
        contain. The Lagrangian is f + sum_j multiplier_j body_j, where f is minimised (a maximised
        objective is negated), body_j is `body - upper` or `lower - body`, and the multiplier of
        such a limit is >= 0. That of an equality, with body_j = `body - right-hand side`, is free.

        Parameters
        ----------
        component : Pyomo constraint or variable
            Scalar, indexed, or one entry of an indexed component.

        Returns
        -------
        Pyomo variable, tuple or dict
            A tuple (lower, upper) if there are two limits; a dict with the same index if the
            component is indexed.

        Raises
        ------
        ArgumentError
            If the component is neither a constraint nor a variable, or has no limit.
        """
        if getattr(component, "ctype", None) not in {pyo.Var, pyo.Constraint}:
            given = str(getattr(component, "name", component))
            raise ArgumentError("component", given, "a constraint or a variable of the follower")
        if component.is_indexed():
            return {index: self.multiplier_of(entry) for index, entry in component.items()}
        if component not in self.given_multipliers:
            rows = rows_of(component)
            if not rows:
                given = f"{component.name}, which has no limit"
                raise ArgumentError("component", given, "a constraint or a variable with a bound")
            if self.component(MULTIPLIERS) is None:
                self.add_component(MULTIPLIERS, pyo.VarList())
            added = [self.component(MULTIPLIERS).add() for _ in rows]
            for row, multiplier in zip(rows, added, strict=True):
                multiplier.set_value(0.0)
                multiplier.setlb(None if row.side == "equal" else 0.0)
            self.given_multipliers[component] = tuple(added)
        found = self.given_multipliers[component]
        return found if len(found) > 1 else found[0]

    @property
    def given_multipliers(self) -> ComponentMap:
        """The variables that `multiplier_of` returned, by component."""
        return self.__dict__.setdefault("_bilad_multipliers", ComponentMap())

    def own_variables(self) -> ComponentSet:
        """Return the variables that are declared on this block, and those of `variables=`."""
        blocks = self.block_data_objects(active=None, descend_into=True)
        declared = (
            var for block in blocks for var in block.component_objects(pyo.Var, descend_into=False)
        )
        own = ComponentSet(
            v
            for var in declared
            if not var.is_reference() and var.local_name != MULTIPLIERS
            for v in var.values()
        )
        own.update(self._named("variables"))
        return own

    def leader_variables(self) -> ComponentSet | None:
        """Return the variables of `leader=`; None if all are allowed."""
        given = self.parent_component().given["leader"]
        return None if given is None else ComponentSet(self._named("leader"))

    def _named(self, argument: str) -> Iterator[Any]:
        given = self.parent_component().given[argument]
        if callable(given):
            index = self.index()
            place = () if index is None else index if isinstance(index, tuple) else (index,)
            given = given(self.parent_block(), *place)
        if getattr(given, "ctype", None) is pyo.Var:
            given = [given]
        if not isinstance(given, Iterable) or isinstance(given, str):
            raise ModelError(argument, repr(given), EXPECTED_VARIABLES)
        for v in given:
            if getattr(v, "ctype", None) is not pyo.Var:
                raise ModelError(argument, str(v), EXPECTED_VARIABLES)
            yield from v.values() if v.is_indexed() else (v,)


class Follower(pyo.Block):  # type: ignore[misc]
    """A lower level, written as a Pyomo block with one objective and constraints.

    The variables that are declared on the block or on its sub-blocks are the follower's. All
    others are constants for it: those of the leader, and those of other followers, with whom it is
    then in a Nash equilibrium. It is an ordinary block, so that an ordinary solver refuses the two
    objectives of the model instead of ignoring the follower.

    Parameters
    ----------
    *indexes, **keywords
        As for `pyomo.environ.Block`, such as `rule`.
    variables : list or rule, default ()
        Variables of the follower that are declared elsewhere.
    leader : list or rule, optional
        The variables of the leader that the follower may contain. If it contains others, an
        `ArgumentError` names them. By default all are allowed.

    Examples
    --------
    >>> import pyomo.environ as pyo
    >>> from bilad.formulations import Follower
    >>> m = pyo.ConcreteModel()
    >>> m.x = pyo.Var(bounds=(0, None))
    >>> m.lower = Follower()
    >>> m.lower.y = pyo.Var(bounds=(0, None))
    >>> m.lower.cost = pyo.Objective(expr=m.lower.y)
    >>> m.lower.row = pyo.Constraint(expr=m.x + m.lower.y >= 3)
    >>> m.cost = pyo.Objective(expr=m.x - 4 * m.lower.y)
    """

    _ComponentDataClass = FollowerData
    given: Mapping[str, Any]

    def __new__(cls, *indexes: Any, **keywords: Any) -> Follower:
        """Make a scalar or an indexed follower."""
        if cls is not Follower:
            made: Follower = super().__new__(cls)
            return made
        is_scalar = not indexes or indexes[0] is UnindexedComponent_set
        kind = ScalarFollower if is_scalar else IndexedFollower
        return kind.__new__(kind)

    def __init__(
        self,
        *indexes: Any,
        variables: Iterable[Any] | Callable[..., Iterable[Any]] = (),
        leader: Iterable[Any] | Callable[..., Iterable[Any]] | None = None,
        **keywords: Any,
    ) -> None:
        listed: dict[str, Any] = {"variables": variables, "leader": leader}
        for name, value in listed.items():
            is_view = isinstance(value, Iterable) and not isinstance(value, str)
            if is_view and not hasattr(value, "ctype"):
                listed[name] = list(value)  # a view or generator could not be copied
        object.__setattr__(self, "given", listed)
        super().__init__(*indexes, **keywords)


class ScalarFollower(FollowerData, Follower):
    """A follower without an index."""

    def __init__(self, *indexes: Any, **keywords: Any) -> None:
        BlockData.__init__(self, component=self)
        Follower.__init__(self, *indexes, **keywords)
        self._data[None] = self
        self._index = UnindexedComponent_index

    display = Follower.display


class IndexedFollower(Follower):
    """One follower for each element of an index set."""


class FollowerProgram:
    """The convex program that a block states, after validation.

    Parameters
    ----------
    block : Pyomo block
        With exactly one active objective.
    own : iterable of Pyomo variables
        The variables that the follower decides on.

    Attributes
    ----------
    block : Pyomo block
    variables : list of Pyomo variable data
        The variables y: those on active blocks, and those in the objective or in a constraint,
        unless they are fixed.
    parameters : list of Pyomo variable data
        The variables x of others that occur in the objective or in `rows`, and are not fixed.
    objective : Pyomo objective data
    cost : Pyomo expression
        The function f, which is minimised.
    rows : list of FollowerRow
        The constraints that contain a variable of the follower, in their order, followed by the
        bounds of `variables`.

    Raises
    ------
    ModelError
        If there is not exactly one active objective, a variable is not continuous, or the block
        contains what has no multiplier.
    """

    def __init__(self, block: Any, own: Iterable[Any]) -> None:
        self.block, own = block, ComponentSet(own)
        for kind in block.collect_ctypes(active=True):
            if kind.__name__ in NOT_WRITTEN:
                raise self.error(f"a {kind.__name__}", "variables, constraints and one objective")
        self.objective = self._only_objective()
        sign = 1 if self.objective.sense == pyo.minimize else -1
        self.cost = sign * self.objective.expr
        seen = ComponentSet(identify_variables(self.cost, include_fixed=False))
        self.rows: list[FollowerRow] = []
        for c in block.component_data_objects(pyo.Constraint, active=True, descend_into=True):
            inside = ComponentSet(identify_variables(c.expr, include_fixed=False))
            if any(v in own for v in inside):
                self.rows += rows_of(c)
                seen |= inside
        shown = ComponentSet(block.component_data_objects(pyo.Var, active=True)) | seen
        self.variables = [v for v in own if v in shown and not v.fixed]
        self.parameters = [v for v in seen if v not in own]
        for v in self.variables:
            if not v.is_continuous():
                raise self.error(f"{v.name!r}, which is not continuous", "continuous variables")
            self.rows += rows_of(v)

    @property
    def name(self) -> str:
        """The name of the block."""
        return str(self.block.name)

    def error(self, given: str, expected: str) -> ModelError:
        """Return the error that this follower is not of the accepted form."""
        return ModelError(f"follower {self.name!r}", given, expected)

    def _only_objective(self) -> Any:
        found = list(self.block.component_data_objects(pyo.Objective, active=True))
        if len(found) != 1:
            names = " and ".join(repr(objective.name) for objective in found)
            given = f"{names or 'no objective'}: {len(found)} active objectives"
            raise self.error(given, "exactly one")
        return found[0]
