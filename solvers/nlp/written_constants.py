"""The constants of a written model, whichever block they belong to, and their changes."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from typing import Any

import numpy as np
import pyomo.environ as pyo
from pyomo.common.numeric_types import native_types

REMEDY = "use a Var with equal bounds for what changes between solves, or open a new session"


class WrittenConstants:
    """The structure of a written model, and its fixed variables and parameters.

    The expressions of the active constraints and of the active objective are traversed once; every
    fixed variable and parameter in them is a constant of the model, whichever block it belongs to.

    Parameters
    ----------
    model : pyomo.environ.Block

    Raises
    ------
    ValueError
        If the value of a fixed variable or of a parameter is not a number; the message names it.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._structure = _structure(model)
        self._fixed, self._parameters, self._named = _constants_in(self._structure[1::3])
        self._expressions = [expression.expr for expression in self._named]
        self._values = _numbers(self._fixed), _numbers(self._parameters)

    def check(self, variables: Iterable[Any]) -> None:
        """Refuse a model with other constants than those that were written.

        Parameters
        ----------
        variables : iterable of Pyomo variables
            The columns that were written. They must still be free and continuous.

        Raises
        ------
        ValueError
            If something changed; the message names the component and the remedy.
        """
        self._check_structure()
        for variable in variables:
            if variable.fixed:
                raise ValueError(f"{variable.name} was fixed after the session opened; {REMEDY}")
            if not variable.is_continuous():
                raise ValueError(f"{variable.name} is discrete since the session opened")
        for variable in self._fixed:
            if not variable.fixed:
                raise ValueError(f"{variable.name} was unfixed after the session opened; {REMEDY}")
        for kind, components, before in zip(
            ("fixed ", ""), (self._fixed, self._parameters), self._values, strict=True
        ):
            for component, now, then in zip(components, _numbers(components), before, strict=True):
                if now != then:
                    name = f"{kind}{component.name}"
                    raise ValueError(f"{name} changed after the session opened; {REMEDY}")

    def _check_structure(self) -> None:
        now, before = _structure(self._model), self._structure
        if len(now) != len(before) or not all(map(operator.is_, now[::3], before[::3])):
            raise ValueError(
                "the active constraints or the active objective changed; open a new session"
            )
        if not all(map(operator.is_, now, before)):
            j = next(j for j in range(len(now)) if now[j] is not before[j])
            name = now[j - j % 3].name
            raise ValueError(f"{name} changed after the session opened; open a new session")
        for expression, written in zip(self._named, self._expressions, strict=True):
            if expression.expr is not written:
                raise ValueError(f"{expression.name} was replaced; open a new session")


def _structure(model: Any) -> list[Any]:
    """Return component, expression and sense of each active objective and constraint, in a row.

    The objects themselves are kept instead of their `id`, which a new object could reuse.
    """
    objectives = model.component_data_objects(pyo.Objective, active=True)
    parts = [part for one in objectives for part in (one, one.expr, one.sense)]
    for row in model.component_data_objects(pyo.Constraint, active=True):
        parts += (row, row.expr, None)
    return parts


def _constants_in(expressions: Iterable[Any]) -> tuple[list[Any], list[Any], list[Any]]:
    """Return fixed variables, mutable parameters and named expressions, each of them once."""
    fixed: dict[int, Any] = {}
    parameters: dict[int, Any] = {}
    named: dict[int, Any] = {}
    waiting = list(expressions)
    while waiting:
        node = waiting.pop()
        if node.__class__ in native_types:
            continue
        if node.is_expression_type():
            if node.is_named_expression_type():
                if id(node) in named:
                    continue
                named[id(node)] = node
            waiting.extend(node.args)
        elif node.is_variable_type():
            if node.fixed:
                fixed[id(node)] = node
        elif node.is_parameter_type():
            parameters[id(node)] = node
    return list(fixed.values()), list(parameters.values()), list(named.values())


def _numbers(components: Iterable[Any]) -> list[float]:
    return [_number(component) for component in components]


def _number(component: Any) -> float:
    value = component.value
    try:
        number = math.nan if np.ndim(value) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if math.isnan(number):
        raise ValueError(f"{component.name}: expected a number, given {value!r}")
    return number
