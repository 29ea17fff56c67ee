"""Complementarity 0 <= G _|_ H >= 0, and the relaxations by which a homotopy approaches it.

Each relaxation is one row Phi(G, H; t) <= 0 for every pair, exact at t = 0, with G and H without
units. t is comparable between them: each lets G = H = sqrt(t) just pass.

References
----------
Scholtes, SIAM J. Optim. 11 (2001). Facchinei, Jiang and Qi, Math. Program. 85 (1999)
(Fischer-Burmeister, smoothed). Kanzow and Schwartz, SIAM J. Optim. 23 (2013). Steffensen and
Ulbrich, SIAM J. Optim. 20 (2010). Hoheisel, Kanzow and Schwartz, Math. Program. 137 (2013), compare
them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyomo.environ as pyo

# s / sqrt(t) of Steffensen and Ulbrich: phi(0) = 3/8 s, so that G = H = sqrt(t) just passes.
STEFFENSEN_ULBRICH_WIDTH = 16 / 3


@dataclass(frozen=True)
class Side:
    """One side of a pair: an expression that is kept >= 0 by a bound or a constraint.

    Attributes
    ----------
    expression : Pyomo expression
    keeper : Pyomo variable or constraint data
        Whose bound or row keeps it nonnegative.
    multiplier : callable(multipliers)
        Reads the multiplier of that bound or row from an object that knows `row(constraint)`,
        `lower(variable)` and `upper(variable)`.
    """

    expression: Any
    keeper: Any
    multiplier: Callable[[Any], float]

    @classmethod
    def at_row(cls, expression: Any, row: Any) -> Side:
        """Return a side that a constraint keeps nonnegative."""
        return cls(expression, row, lambda multipliers: multipliers.row(row))

    @classmethod
    def at_lower_bound(cls, expression: Any, variable: Any) -> Side:
        """Return a side that a variable's lower bound keeps nonnegative."""
        return cls(expression, variable, lambda multipliers: multipliers.lower(variable))

    @classmethod
    def at_upper_bound(cls, expression: Any, variable: Any) -> Side:
        """Return a side that a variable's upper bound keeps nonnegative."""
        return cls(expression, variable, lambda multipliers: multipliers.upper(variable))


@dataclass(frozen=True)
class Complementarity:
    """0 <= left _|_ right >= 0.

    Attributes
    ----------
    product : Pyomo expression
        left * right, in the form that suits the solver best.
    left, right : Side, optional
        None where the product alone is written down (`EuclideanEdges`).
    """

    product: Any
    left: Side | None = None
    right: Side | None = None


@dataclass(frozen=True)
class Relaxation:
    """A relaxation by name.

    Attributes
    ----------
    name : str
    body : callable(pair, t)
        Phi as a Pyomo expression of a Complementarity; t a Pyomo variable.
    needs_sides : bool
        Phi is not written in the product alone.
    penalised : bool
        Phi is no row, but is subtracted from what is to become large.
    """

    name: str
    body: Callable[[Complementarity, Any], Any]
    needs_sides: bool = True
    penalised: bool = False


def _sides(pair: Complementarity) -> tuple[Any, Any]:
    assert pair.left is not None
    assert pair.right is not None
    return pair.left.expression, pair.right.expression


def _scholtes(pair: Complementarity, t: Any) -> Any:
    return pair.product - t


def _fischer_burmeister(pair: Complementarity, t: Any) -> Any:
    G, H = _sides(pair)
    return G + H - pyo.sqrt(G**2 + H**2 + 2 * t)


def _kanzow_schwartz(pair: Complementarity, t: Any) -> Any:
    """(G - s)(H - s) where G + H >= 2 s, else -((G - s)^2 + (H - s)^2) / 2, with s = sqrt(t)."""
    G, H = _sides(pair)
    a, b = G - pyo.sqrt(t), H - pyo.sqrt(t)
    total = a + b
    return a * b - (total**2 - total * abs(total)) / 4


def _steffensen_ulbrich(pair: Complementarity, t: Any) -> Any:
    """G + H - phi(G - H), phi = |.| outside [-s, s] and a polynomial inside, s = 16/3 sqrt(t)."""
    G, H = _sides(pair)
    s = STEFFENSEN_ULBRICH_WIDTH * pyo.sqrt(t)
    ratio = (G - H) / s
    clipped = (abs(ratio + 1) - abs(ratio - 1)) / 2
    beyond = (abs(ratio) - 1 + abs(abs(ratio) - 1)) / 2
    return G + H - s * ((3 + 6 * clipped**2 - clipped**4) / 8 + beyond)


def _penalty(pair: Complementarity, t: Any) -> Any:
    return pair.product / t


RELAXATIONS = {
    relaxation.name: relaxation
    for relaxation in (
        Relaxation("scholtes", _scholtes, needs_sides=False),
        Relaxation("fischer-burmeister", _fischer_burmeister),
        Relaxation("kanzow-schwartz", _kanzow_schwartz),
        Relaxation("steffensen-ulbrich", _steffensen_ulbrich),
        Relaxation("penalty", _penalty, needs_sides=False, penalised=True),
    )
}
