"""Smooth deviations as sums of Pyomo expressions.

The sum is split into terms because a single constraint that contains all variables would make the
colouring of the Jacobian, and therefore differentiation, a hundred times slower.
"""

from __future__ import annotations

from functools import singledispatch
from itertools import pairwise
from typing import Any

import numpy as np
import pyomo.environ as pyo

from bilad.formulations.conditions import Conditions
from bilad.models.smooth_deviation import SmoothDistance, SmoothPairs


@singledispatch
def terms(deviation: Any, conditions: Conditions, width: Any) -> list[Any]:
    """Return Pyomo expressions whose sum is a smooth deviation.

    The function is dispatched on the type of the deviation; `terms.register` adds other types.

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


@terms.register
def _pairs(deviation: SmoothPairs, conditions: Conditions, width: Any) -> list[Any]:
    """Return, for each point i, the sum of the terms of the pairs (i, j) with j > i."""
    rows, w2 = deviation.pairs[:, 0], width**2
    order = np.argsort(rows, kind="stable")
    limits = np.searchsorted(rows[order], np.arange(len(deviation.labels) + 1))

    def term(row: int) -> Any:
        i, j = deviation.pairs[row].tolist()
        return deviation.term(row, conditions.squared_distance(i, j), w2, pyo)

    return [
        pyo.quicksum(map(term, order[start:end].tolist()))
        for start, end in pairwise(limits.tolist())
    ]


@terms.register
def _distance(deviation: SmoothDistance, conditions: Conditions, width: Any) -> list[Any]:
    """Return a list with one expression, the whole deviation."""
    entries = zip(conditions.variables(), deviation.reference.ravel().tolist(), strict=True)
    squared = pyo.quicksum((entry - before) ** 2 for entry, before in entries)
    return [deviation.term(squared, width, pyo)]
