"""Smooth deviations as Pyomo expressions, in shares whose sum they are.

One row with every variable in it would make the Jacobian's colouring, and so the differentiation, a
hundred times slower: so the deviation is written share by share.
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
def shares(deviation: Any, conditions: Conditions, width: Any) -> list[Any]:
    """Return expressions that add up to a smooth deviation.

    Registered by the type of the deviation: `shares.register` adds one of your own.

    Parameters
    ----------
    deviation : SmoothDeviation
    conditions : Conditions
        Has the state.
    width : Pyomo variable

    Raises
    ------
    TypeError
        If none is registered.
    """
    raise TypeError(f"no Pyomo form is registered for {type(deviation).__name__}")


@shares.register
def _pairs(deviation: SmoothPairs, conditions: Conditions, width: Any) -> list[Any]:
    """Return for each point the terms of its pairs with later ones."""
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


@shares.register
def _distance(deviation: SmoothDistance, conditions: Conditions, width: Any) -> list[Any]:
    """Return the whole."""
    entries = zip(conditions.variables(), deviation.reference.ravel().tolist(), strict=True)
    squared = pyo.quicksum((entry - before) ** 2 for entry, before in entries)
    return [deviation.term(squared, width, pyo)]
