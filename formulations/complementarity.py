"""Complementarity 0 <= G _|_ H >= 0, and the relaxations by which a homotopy approaches it.

Each relaxation is one or more rows Phi(G, H; t) <= 0 for every pair, exact at t = 0, with G and H
without units. t is comparable between ours: each lets G = H = sqrt(t) just pass. Others are added
by `register_relaxation`, or by an entry point of the group "bilad.relaxations"
that names a `Relaxation`.

References
----------
Scholtes, SIAM J. Optim. 11 (2001). Facchinei, Jiang and Qi, Math. Program. 85 (1999)
(Fischer-Burmeister, smoothed). Kanzow and Schwartz, SIAM J. Optim. 23 (2013). Steffensen and
Ulbrich, SIAM J. Optim. 20 (2010). Hoheisel, Kanzow and Schwartz, Math. Program. 137 (2013), compare
them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyomo.environ as pyo
from pyomo.core.expr.numvalue import NumericValue

from bilad.models.registry import Registry
from bilad.models.validation import ArgumentError

# s / sqrt(t) of Steffensen and Ulbrich: phi(0) = 3/8 s, so that G = H = sqrt(t) just passes.
STEFFENSEN_ULBRICH_WIDTH = 16 / 3


@dataclass(frozen=True)
class Side:
    """One side of a pair: an expression that is kept >= 0 by a bound or a constraint.

    Attributes
    ----------
    expression : Pyomo expression
    component : Pyomo variable or constraint data
        Whose bound or row keeps it nonnegative.
    multiplier : callable(multipliers)
        Reads the multiplier of that bound or row from an object that knows `row(constraint)`,
        `row_below(constraint)`, `row_above(constraint)`, `lower(variable)` and `upper(variable)`.
    unit : float, default 1
        What the bound or row keeps nonnegative is this times the expression.
    """

    expression: Any
    component: Any
    multiplier: Callable[[Any], float]
    unit: float = 1.0

    @classmethod
    def at_row(cls, expression: Any, row: Any, unit: float = 1.0) -> Side:
        """Return a side that a constraint keeps nonnegative."""
        return cls(expression, row, lambda multipliers: multipliers.row(row), unit)

    @classmethod
    def at_row_limits(cls, below: Any, above: Any, row: Any) -> tuple[Side, Side]:
        """Return the two sides that a constraint with two limits keeps nonnegative."""
        return (
            cls(below, row, lambda multipliers: multipliers.row_below(row)),
            cls(above, row, lambda multipliers: multipliers.row_above(row)),
        )

    @classmethod
    def at_lower_bound(cls, expression: Any, variable: Any, unit: float = 1.0) -> Side:
        """Return a side that a variable's lower bound keeps nonnegative."""
        return cls(expression, variable, lambda multipliers: multipliers.lower(variable), unit)

    @classmethod
    def at_upper_bound(cls, expression: Any, variable: Any, unit: float = 1.0) -> Side:
        """Return a side that a variable's upper bound keeps nonnegative."""
        return cls(expression, variable, lambda multipliers: multipliers.upper(variable), unit)


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

    @property
    def sides(self) -> tuple[Any, Any]:
        """The expressions G and H of the two sides.

        Raises
        ------
        ValueError
            If the product alone is written down: the relaxation has to say `needs_sides`.
        """
        if self.left is None or self.right is None:
            raise ValueError(
                "this pair has no sides; register the relaxation with needs_sides=True"
            )
        return self.left.expression, self.right.expression


@dataclass(frozen=True)
class Relaxation:
    """A relaxation by name.

    Attributes
    ----------
    name : str
    rows : callable(pair, t)
        Returns the left-hand sides Phi of the rows Phi <= 0, Pyomo expressions of a
        Complementarity; t a Pyomo variable.
    needs_sides : bool
        Phi is not written in the product alone.
    penalised : bool
        Phi are no rows, but are subtracted from what is to become large.
    """

    name: str
    rows: Callable[[Complementarity, Any], Sequence[Any]]
    needs_sides: bool = True
    penalised: bool = False

    def __post_init__(self) -> None:
        """Write the rows of one pair, to see that they can be.

        Raises
        ------
        ArgumentError
        """
        expected = "a callable(pair, t) that returns a sequence of Pyomo expressions, at least one"
        model = pyo.ConcreteModel()
        model.G, model.H, model.t = pyo.Var(), pyo.Var(), pyo.Var()
        sides = [Side.at_lower_bound(v, v) for v in (model.G, model.H) if self.needs_sides]
        try:
            written = list(self.rows(Complementarity(model.G * model.H, *sides), model.t))
        except Exception as error:  # whatever a stranger's code raises
            raise ArgumentError("rows", f"{type(error).__name__}: {error}", expected) from error
        if not written or not all(isinstance(row, NumericValue) for row in written):
            raise ArgumentError("rows", f"{written} from it", expected)


def _scholtes(pair: Complementarity, t: Any) -> list[Any]:
    return [pair.product - t]


def _fischer_burmeister(pair: Complementarity, t: Any) -> list[Any]:
    G, H = pair.sides
    return [G + H - pyo.sqrt(G**2 + H**2 + 2 * t)]


def _kanzow_schwartz(pair: Complementarity, t: Any) -> list[Any]:
    """(G - s)(H - s) where G + H >= 2 s, else -((G - s)^2 + (H - s)^2) / 2, with s = sqrt(t)."""
    G, H = pair.sides
    a, b = G - pyo.sqrt(t), H - pyo.sqrt(t)
    total = a + b
    return [a * b - (total**2 - total * abs(total)) / 4]


def _steffensen_ulbrich(pair: Complementarity, t: Any) -> list[Any]:
    """G + H - phi(G - H), phi = |.| outside [-s, s] and a polynomial inside, s = 16/3 sqrt(t)."""
    G, H = pair.sides
    s = STEFFENSEN_ULBRICH_WIDTH * pyo.sqrt(t)
    ratio = (G - H) / s
    clipped = (abs(ratio + 1) - abs(ratio - 1)) / 2
    beyond = (abs(ratio) - 1 + abs(abs(ratio) - 1)) / 2
    return [G + H - s * ((3 + 6 * clipped**2 - clipped**4) / 8 + beyond)]


def _penalty(pair: Complementarity, t: Any) -> list[Any]:
    return [pair.product / t]


RELAXATIONS: Registry[Relaxation] = Registry(
    "bilad.relaxations",
    Relaxation,
    {
        relaxation.name: relaxation
        for relaxation in (
            Relaxation("scholtes", _scholtes, needs_sides=False),
            Relaxation("fischer-burmeister", _fischer_burmeister),
            Relaxation("kanzow-schwartz", _kanzow_schwartz),
            Relaxation("steffensen-ulbrich", _steffensen_ulbrich),
            Relaxation("penalty", _penalty, needs_sides=False, penalised=True),
        )
    },
)


def register_relaxation(
    name: str,
    rows: Callable[[Complementarity, Any], Sequence[Any]],
    needs_sides: bool = True,
    penalised: bool = False,
) -> None:
    """Add a relaxation of your own: `attack(problem, "kkt", relaxation=name)` then knows it.

    Parameters
    ----------
    name : str
    rows : callable(pair, t)
        Returns a sequence of Pyomo expressions that are to be at most 0. `pair.sides` are the
        expressions G and H, each kept nonnegative by the model, `pair.product` is G H.
    needs_sides : bool, default True
        Whether `pair.sides` is asked for.
    penalised : bool, default False
        Whether the expressions are, instead, weighted and subtracted from what is to become large.

    Raises
    ------
    ArgumentError
        If the name is taken, or `rows` writes no expressions for a pair.
    """
    RELAXATIONS.register(name, Relaxation(name, rows, needs_sides, penalised))


def relax(
    model: pyo.ConcreteModel,
    pairs: Mapping[tuple[int, int], Complementarity],
    relaxation: Relaxation,
) -> None:
    """Add `relaxed[e, r, q]`, the q-th row of the pair (e, r), unless it is a penalty."""
    if relaxation.penalised:
        return
    rows = {
        (*index, q): row
        for index, pair in pairs.items()
        for q, row in enumerate(relaxation.rows(pair, model.t))
    }
    model.relaxed = pyo.Constraint(list(rows), rule=lambda m, *index: rows[index] <= 0)


def penalty(
    model: pyo.ConcreteModel, pairs: Iterable[Complementarity], relaxation: Relaxation
) -> Any:
    """Return the sum of what the relaxation penalises; 0 if it adds rows."""
    if not relaxation.penalised:
        return 0.0
    return pyo.quicksum(row for pair in pairs for row in relaxation.rows(pair, model.t))
