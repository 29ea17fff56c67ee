"""Complementarity constraints 0 <= G _|_ H >= 0 and their relaxations.

"0 <= G _|_ H >= 0" means G >= 0, H >= 0 and G H = 0. G and H are called the two sides; they are
dimensionless expressions, which the model keeps nonnegative. A relaxation replaces G H = 0 by one
or more constraints Phi(G, H; t) <= 0 with a parameter t > 0 that a continuation drives to 0. At
t = 0 they are equivalent to G H = 0. The built-in relaxations are scaled so that G = H = sqrt(t)
lies on the boundary of the relaxed set, which makes t comparable. Users add relaxations by
`register_relaxation`, and packages by an entry point of the group "bilad.relaxations" that names a
`Relaxation`.

"smoothing" keeps the path G H = t, by the equation of the smoothed Fischer-Burmeister function.

References
----------
Scholtes, SIAM J. Optim. 11 (2001). Facchinei, Jiang and Qi, Math. Program. 85 (1999), for the
smoothed Fischer-Burmeister function. Kanzow and Schwartz, SIAM J. Optim. 23 (2013). Steffensen and
Ulbrich, SIAM J. Optim. 20 (2010). Lin and Fukushima, Ann. Oper. Res. 133 (2005). Hoheisel, Kanzow
and Schwartz, Math. Program. 137 (2013), for a comparison.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyomo.environ as pyo
from pyomo.core.expr.numvalue import NumericValue

from bilad.models.registry import Registry
from bilad.models.validation import ArgumentError

# s / sqrt(t) for Steffensen and Ulbrich: phi(0) = 3/8 s, so that Phi = 0 at G = H = sqrt(t).
STEFFENSEN_ULBRICH_WIDTH = 16 / 3


@dataclass(frozen=True)
class Side:
    """One side of a complementarity: an expression that a bound or a constraint keeps nonnegative.

    Attributes
    ----------
    expression : Pyomo expression
        G or H.
    component : Pyomo variable or constraint data
        The variable whose bound, or the constraint which, keeps the expression nonnegative.
    multiplier : callable(multipliers)
        Returns the multiplier of that bound or constraint. Its argument has the methods
        `row(constraint)`, `lower(variable)` and `upper(variable)`.
    unit : float, default 1
        The bound or constraint states `unit * expression >= 0`; its multiplier refers to this
        product.
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
    def at_lower_bound(cls, expression: Any, variable: Any, unit: float = 1.0) -> Side:
        """Return a side that the lower bound of a variable keeps nonnegative."""
        return cls(expression, variable, lambda multipliers: multipliers.lower(variable), unit)

    @classmethod
    def at_upper_bound(cls, expression: Any, variable: Any, unit: float = 1.0) -> Side:
        """Return a side that the upper bound of a variable keeps nonnegative."""
        return cls(expression, variable, lambda multipliers: multipliers.upper(variable), unit)


@dataclass(frozen=True)
class Complementarity:
    """The complementarity constraint 0 <= G _|_ H >= 0.

    Attributes
    ----------
    product : Pyomo expression
        G H, in the algebraic form that suits the solver best.
    left, right : Side, optional
        G and H. None if the model contains the product only, as for the second-order cones of
        `EuclideanEdges`.
    """

    product: Any
    left: Side | None = None
    right: Side | None = None

    @property
    def sides(self) -> tuple[Any, Any]:
        """The expressions G and H.

        Raises
        ------
        ValueError
            If the model contains the product only. A relaxation that uses the sides must be
            registered with `needs_sides=True`.
        """
        if self.left is None or self.right is None:
            raise ValueError(
                "the model contains only the product of this pair and not its sides G and H; "
                "register the relaxation with needs_sides=True"
            )
        return self.left.expression, self.right.expression


@dataclass(frozen=True)
class Relaxation:
    """A relaxation of complementarity constraints.

    Attributes
    ----------
    name : str
    rows : callable(pair, t)
        Returns the left-hand sides of the constraints Phi <= 0 as Pyomo expressions, from a
        `Complementarity` and the Pyomo variable t.
    needs_sides : bool
        Whether `rows` uses `pair.sides` and not only `pair.product`.
    penalised : bool
        Whether the expressions are penalty terms of the objective instead of constraints.
    equations : bool
        Whether the constraints are Phi = 0 instead of Phi <= 0.
    """

    name: str
    rows: Callable[[Complementarity, Any], Sequence[Any]]
    needs_sides: bool = True
    penalised: bool = False
    equations: bool = False

    def __post_init__(self) -> None:
        """Call `rows` for one test pair, to detect errors before a model is built.

        Raises
        ------
        ArgumentError
            If `rows` raises, or does not return Pyomo expressions.
        """
        expected = "a callable(pair, t) that returns a sequence of Pyomo expressions, at least one"
        model = pyo.ConcreteModel()
        model.G, model.H, model.t = pyo.Var(), pyo.Var(), pyo.Var()
        sides = [Side.at_lower_bound(v, v) for v in (model.G, model.H) if self.needs_sides]
        try:
            written = list(self.rows(Complementarity(model.G * model.H, *sides), model.t))
        except Exception as error:  # third-party code can raise anything
            raise ArgumentError("rows", f"{type(error).__name__}: {error}", expected) from error
        if not written or not all(isinstance(row, NumericValue) for row in written):
            raise ArgumentError("rows", f"the return value {written}", expected)


def _scholtes(pair: Complementarity, t: Any) -> list[Any]:
    return [pair.product - t]


def _fischer_burmeister(pair: Complementarity, t: Any) -> list[Any]:
    G, H = pair.sides
    return [G + H - pyo.sqrt(G**2 + H**2 + 2 * t)]


def _lin_fukushima(pair: Complementarity, t: Any) -> list[Any]:
    """Phi = (G H - t, t - (G + s) (H + s)), s = sqrt(t)."""
    G, H = pair.sides
    s = pyo.sqrt(t)
    return [pair.product - t, t - (G + s) * (H + s)]


def _kanzow_schwartz(pair: Complementarity, t: Any) -> list[Any]:
    """Phi = (G - s)(H - s) if G + H >= 2 s, else -((G - s)^2 + (H - s)^2) / 2, s = sqrt(t)."""
    G, H = pair.sides
    a, b = G - pyo.sqrt(t), H - pyo.sqrt(t)
    total = a + b
    return [a * b - (total**2 - total * abs(total)) / 4]


def _steffensen_ulbrich(pair: Complementarity, t: Any) -> list[Any]:
    """Phi = G + H - phi(G - H), phi = |.| outside [-s, s], polynomial inside, s = 16/3 sqrt(t)."""
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
            Relaxation("lin-fukushima", _lin_fukushima),
            Relaxation("smoothing", _fischer_burmeister, equations=True),
            Relaxation("penalty", _penalty, needs_sides=False, penalised=True),
        )
    },
)


def register_relaxation(
    name: str,
    rows: Callable[[Complementarity, Any], Sequence[Any]],
    needs_sides: bool = True,
    penalised: bool = False,
    equations: bool = False,
) -> None:
    """Register a relaxation, which `attack(problem, "kkt", relaxation=name)` then accepts.

    Parameters
    ----------
    name : str
    rows : callable(pair, t)
        Returns a sequence of Pyomo expressions that the model constrains to be <= 0. `pair.sides`
        is the pair (G, H) of expressions, which the model keeps nonnegative; `pair.product` is G H.
    needs_sides : bool, default True
        Whether `rows` uses `pair.sides`.
    penalised : bool, default False
        If True, the expressions are not constrained. They are weighted and penalised in the
        objective.
    equations : bool, default False
        If True, the expressions are constrained to be 0.

    Raises
    ------
    ArgumentError
        If the name is in use, or `rows` does not return expressions for a test pair.
    """
    RELAXATIONS.register(name, Relaxation(name, rows, needs_sides, penalised, equations))


def relax(
    model: pyo.ConcreteModel,
    pairs: Mapping[tuple[int, int], Complementarity],
    relaxation: Relaxation,
) -> None:
    """Add the constraints `relaxed[e, r, q]`: row q of pair (e, r); none for a penalty method."""
    if relaxation.penalised:
        return
    rows = {
        (*index, q): row
        for index, pair in pairs.items()
        for q, row in enumerate(relaxation.rows(pair, model.t))
    }
    least = 0.0 if relaxation.equations else None
    model.relaxed = pyo.Constraint(list(rows), rule=lambda m, *index: (least, rows[index], 0.0))


def penalty(
    model: pyo.ConcreteModel, pairs: Iterable[Complementarity], relaxation: Relaxation
) -> Any:
    """Return the sum of the penalty terms; 0 if the relaxation adds constraints."""
    if not relaxation.penalised:
        return 0.0
    return pyo.quicksum(row for pair in pairs for row in relaxation.rows(pair, model.t))
