"""The Euclidean norm from below, by linear constraints: few, and as tight as wanted.

A tree of planes: ||(a, b, c, d)|| = ||(||(a, b)||, ||(c, d)||)||. In a plane it is the norm of a
regular polygon, written with a few variables: halve the angle of the vector again and again, until
it is nearly zero.

References
----------
Ben-Tal and Nemirovski, On polyhedral approximations of the second-order cone, Mathematics of
Operations Research 26(2), 2001.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyomo.environ as pyo

HALVINGS = 7  # the polygon is inside 1 + 8e-5 times the disc


def add_polyhedral_ball(model: pyo.ConcreteModel, radius: float) -> Any:
    """Add the block `round`; return an expression for the norm of the model's eps.

    It can be ||eps||_2, if that is at most the radius, and cannot be less than nearly that.
    """
    model.round = block = pyo.Block()
    block.variables = pyo.VarList(bounds=(0.0, 1.5 * radius))
    block.rows = pyo.ConstraintList()
    level: list[Any] = [model.eps[k] for k in model.parameters]
    while len(level) > 1:
        pairs = list(zip(level[::2], level[1::2], strict=False))
        level = [_length(block, *pair) for pair in pairs] + level[2 * len(pairs) :]
    return level[0]


def _length(block: Any, first: Any, second: Any) -> Any:
    """Return a variable, at least the length of a vector, up to the polygon's error."""
    along, across = _magnitude(block, first), _magnitude(block, second)
    for halving in range(1, HALVINGS + 1):
        angle = np.pi / 2 ** (halving + 1)
        cosine, sine = float(np.cos(angle)), float(np.sin(angle))
        turned = block.variables.add()
        block.rows.add(turned == cosine * along + sine * across)
        along, across = turned, _magnitude(block, cosine * across - sine * along)
    block.rows.add(across <= float(np.tan(np.pi / 2 ** (HALVINGS + 1))) * along)
    return along


def _magnitude(block: Any, expression: Any) -> Any:
    """Return a variable, at least the magnitude of an expression."""
    variable = block.variables.add()
    block.rows.add(expression <= variable)
    block.rows.add(-expression <= variable)
    return variable
