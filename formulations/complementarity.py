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

import math
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
        Whose bound or row keeps it nonnegative, and so holds its multiplier.
    """

    expression: Any
    keeper: Any


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
    slopes : callable(G, H, t)
        The numbers dPhi/dG and dPhi/dH.
    needs_sides : bool
        Phi is not written in the product alone.
    penalised : bool
        Phi is no row, but is subtracted from what is to become large.
    """

    name: str
    body: Callable[[Complementarity, Any], Any]
    slopes: Callable[[float, float, float], tuple[float, float]]
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


def _fischer_burmeister_slopes(G: float, H: float, t: float) -> tuple[float, float]:
    root = math.sqrt(G**2 + H**2 + 2 * t)
    return 1 - G / root, 1 - H / root


def _kanzow_schwartz(pair: Complementarity, t: Any) -> Any:
    """(G - s)(H - s) where G + H >= 2 s, else -((G - s)^2 + (H - s)^2) / 2, with s = sqrt(t)."""
    G, H = _sides(pair)
    a, b = G - pyo.sqrt(t), H - pyo.sqrt(t)
    total = a + b
    return a * b - (total**2 - total * abs(total)) / 4


def _kanzow_schwartz_slopes(G: float, H: float, t: float) -> tuple[float, float]:
    a, b = G - math.sqrt(t), H - math.sqrt(t)
    return (b, a) if a + b >= 0 else (-a, -b)


def _steffensen_ulbrich(pair: Complementarity, t: Any) -> Any:
    """G + H - phi(G - H), phi = |.| outside [-s, s] and a polynomial inside, s = 16/3 sqrt(t)."""
    G, H = _sides(pair)
    s = STEFFENSEN_ULBRICH_WIDTH * pyo.sqrt(t)
    ratio = (G - H) / s
    clipped = (abs(ratio + 1) - abs(ratio - 1)) / 2
    beyond = (abs(ratio) - 1 + abs(abs(ratio) - 1)) / 2
    return G + H - s * ((3 + 6 * clipped**2 - clipped**4) / 8 + beyond)


def _steffensen_ulbrich_slopes(G: float, H: float, t: float) -> tuple[float, float]:
    ratio = (G - H) / (STEFFENSEN_ULBRICH_WIDTH * math.sqrt(t))
    clipped = min(max(ratio, -1.0), 1.0)
    slope = (3 * clipped - clipped**3) / 2
    return 1 - slope, 1 + slope


def _penalty(pair: Complementarity, t: Any) -> Any:
    return pair.product / t


RELAXATIONS = {
    relaxation.name: relaxation
    for relaxation in (
        Relaxation("scholtes", _scholtes, lambda G, H, t: (H, G), needs_sides=False),
        Relaxation("fischer-burmeister", _fischer_burmeister, _fischer_burmeister_slopes),
        Relaxation("kanzow-schwartz", _kanzow_schwartz, _kanzow_schwartz_slopes),
        Relaxation("steffensen-ulbrich", _steffensen_ulbrich, _steffensen_ulbrich_slopes),
        Relaxation(
            "penalty",
            _penalty,
            lambda G, H, t: (H / t, G / t),
            needs_sides=False,
            penalised=True,
        ),
    )
}
