"""The lower level of a linear model as a Pyomo block.

    min  sum_i l(y_i, z_i) + penalty / 2 ||theta||^2    s.t.  z_i = x_i'theta

The scores z are variables, so that the rows of a KKT system are short. A loss with a kink has
another variable for each point, which is at least its linear pieces.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import singledispatch
from typing import Any

import pyomo.environ as pyo

from bilad.models.learning.learning_model import complete_follower, write_follower
from bilad.models.learning.linear_model import LinearModel, Loss
from bilad.models.learning.svm import HingeLoss, SquaredHingeLoss


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
    for i, row in {} if margins is None else margins.items():
        short = block.short[i]
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
def _squared_hinge(
    loss: SquaredHingeLoss, block: Any, targets: list[Any], scores: list[Any]
) -> Any:
    """Return sum_i xi_i^2 with xi_i >= 1 - y_i z_i, which is positive where it matters."""
    _add_margins(block, targets, scores, None)
    return pyo.quicksum(xi**2 for xi in block.short.values())


@write_loss.register
def _hinge(loss: HingeLoss, block: Any, targets: list[Any], scores: list[Any]) -> Any:
    """Return sum_i xi_i with xi_i >= 1 - y_i z_i and xi_i >= 0."""
    _add_margins(block, targets, scores, 0.0)
    return pyo.quicksum(block.short.values())


def _add_margins(block: Any, targets: list[Any], scores: list[Any], least: float | None) -> None:
    """Add the variables `short[i]` and the constraints `margin[i]`."""
    points = range(len(scores))
    block.short = pyo.Var(points, bounds=(least, None))
    block.margin = pyo.Constraint(
        points, rule=lambda b, i: 1.0 - targets[i] * scores[i] - b.short[i] <= 0.0
    )
