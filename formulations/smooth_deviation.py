"""Smooth deviations as Pyomo expressions."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import pyomo.environ as pyo
from pyomo.core.expr import LinearExpression

from bilad.formulations.conditions import Conditions
from bilad.models.smooth_deviation import SmoothDistance, SmoothPairs, SmoothScores


@singledispatch
def written(deviation: Any, conditions: Conditions, width: Any) -> Any:
    """Return a smooth deviation as a Pyomo expression.

    The function is dispatched on the type of the deviation; `written.register` adds other types.

    Parameters
    ----------
    deviation : SmoothDeviation
    conditions : Conditions
        Provides the state.
    width : Pyomo variable
        The smoothing width w.

    Raises
    ------
    TypeError
        If no function is registered for the type of the deviation.
    """
    raise TypeError(f"no Pyomo form is registered for {type(deviation).__name__}")


@written.register
def _pairs(deviation: SmoothPairs, conditions: Conditions, width: Any) -> Any:
    w2 = width**2
    return pyo.quicksum(
        deviation.term(row, conditions.squared_distance(i, j), w2, pyo)
        for row, (i, j) in enumerate(deviation.pairs.tolist())
    )


@written.register
def _distance(deviation: SmoothDistance, conditions: Conditions, width: Any) -> Any:
    entries = zip(conditions.variables(), deviation.reference.ravel().tolist(), strict=True)
    squared = pyo.quicksum((entry - before) ** 2 for entry, before in entries)
    return deviation.term(squared, width, pyo)


@written.register
def _scores(deviation: SmoothScores, conditions: Conditions, width: Any) -> Any:
    theta = conditions.variables()
    terms = (
        deviation.term(j, LinearExpression(linear_coefs=row, linear_vars=theta), width, pyo)
        for j, row in enumerate(deviation.design.tolist())
    )
    return pyo.quicksum(terms) - deviation.offset
