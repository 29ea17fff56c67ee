"""The lower level of a linear model as a Pyomo block.

    min  sum_i l(y_i, z_i) + penalty / 2 ||theta||^2    s.t.  z_i = x_i'theta

The scores z are variables, so that the rows of a KKT system are short. A loss with a kink has
another variable for each point, which is at least its linear pieces.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import singledispatch
from typing import Any

import numpy as np
import pyomo.environ as pyo

from bilad.models.learning.learning_model import complete_follower, write_follower
from bilad.models.learning.linear_model import LinearModel, Loss
from bilad.models.learning.margin_loss import label_weights
from bilad.models.learning.svm import PositivePartLoss


@write_follower.register(LinearModel)
def write_linear_model(model: LinearModel, block: Any, parts: Mapping[str, Any]) -> list[Any]:
    """Write the lower level; return the variables theta.

    Parameters
    ----------
    model : LinearModel
    block : pyomo.environ.Block
        Its components are the variables `theta[j]` and `score[i]`, the constraints `scored[i]`, the
        objective `fit`, and those that `write_loss` adds.
    parts : mapping of str to ndarray of object
        The data, shape (n, d), and the targets, shape (n,), as functions of eps.
    """
    data, targets = parts["data"], parts["targets"]
    p = model.design.shape[1]
    block.theta = pyo.Var(range(p))
    block.score = pyo.Var(range(model.n))
    ones = [1.0] * model.intercept

    def score(b: Any, i: int) -> Any:
        entries = zip([*data[i], *ones], b.theta.values(), strict=True)
        return b.score[i] - pyo.quicksum(x * t for x, t in entries) == 0

    block.scored = pyo.Constraint(range(model.n), rule=score)
    losses = write_loss(model.loss_function, block, list(targets), list(block.score.values()))
    size = pyo.quicksum(t**2 for t in block.theta.values())
    block.fit = pyo.Objective(expr=losses + 0.5 * model.penalty * size)
    return list(block.theta.values())


@complete_follower.register(LinearModel)
def complete_linear_model(model: LinearModel, block: Any) -> None:
    """Set the scores, and the variables `short`, to their values for theta."""
    for i, row in block.scored.items():
        score = block.score[i]
        score.set_value(0.0)
        score.set_value(-float(pyo.value(row.body)))
    margins = block.component("margin")
    for index, row in {} if margins is None else margins.items():
        short = block.short[index]
        short.set_value(0.0)
        short.set_value(max(0.0, float(pyo.value(row.body - row.upper))))


@singledispatch
def write_loss(loss: Loss, block: Any, targets: list[Any], scores: list[Any]) -> Any:
    """Return the sum of the losses as a Pyomo expression; add the variables that it needs.

    By default it is the sum of `loss.smoothed` with width 0, which is exact for smooth losses. For
    other losses register a function by the type of the loss.
    """
    pairs = zip(targets, scores, strict=True)
    return pyo.quicksum(loss.smoothed(y, z, 0.0, pyo) for y, z in pairs)


@write_loss.register
def _positive_part(
    loss: PositivePartLoss, block: Any, targets: list[Any], scores: list[Any]
) -> Any:
    """Return sum_k u_k g(xi_k) with xi_k >= 1 - m_k and xi_k >= 0, for the pieces m_k = z_i, -z_i.

    The bound is omitted if g'(0) = 0, where it is no restriction and would be degenerate. A
    smoothed loss needs no variables.

    Adds the variables `short[i, side]` and the constraints `margin[i, side]` of the label `side`, 1
    or -1, of point i; pieces whose weight is the number 0 are left out.
    """
    if not (isinstance(loss.width, float) and loss.width == 0):
        pairs = zip(targets, scores, strict=True)
        return pyo.quicksum(loss.smoothed(y, z, loss.width, pyo) for y, z in pairs)
    weights = {
        (i, side): w
        for i, y in enumerate(targets)
        for side, w in zip((1, -1), label_weights(y), strict=True)
        if not isinstance(w, float) or w > 0
    }
    slope = loss.derivatives_of_part(np.zeros(1))[0][0]
    block.short = pyo.Var(list(weights), bounds=(0.0 if slope > 0 else None, None))
    block.margin = pyo.Constraint(
        list(weights),
        rule=lambda b, i, side: 1.0 - side * scores[i] - b.short[i, side] <= 0.0,
    )
    return pyo.quicksum(w * loss.of_part(block.short[index]) for index, w in weights.items())
