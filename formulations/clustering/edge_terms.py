"""The fusion terms in Pyomo for each norm: u_e = x_i - x_j, ||u_e||_p and the scaled dual z_e.

For ||z_e||_q <= 1, the Fenchel-Young gap ||u_e||_p - <z_e, u_e> is nonnegative, and zero at the
solution of convex clustering. For p = 1 and p = inf it is a sum of products of two nonnegative
affine expressions, each of which is a complementarity constraint. For p = 2 it is one product in
the sense of the second-order cone.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyomo.environ as pyo

from bilad.formulations.clustering.smoothed_value import absolute_values
from bilad.formulations.complementarity import Complementarity, Side
from bilad.formulations.leader import set_parameter
from bilad.formulations.schedule import ScheduleStage
from bilad.models.validation import FloatArray


def difference_of_rows(model: pyo.ConcreteModel, ends: tuple[int, int], c: int) -> Any:
    """Return the expression x_ic - x_jc for ends (i, j)."""
    i, j = ends
    return model.x[i, c] - model.x[j, c]


def bound_entries(model: pyo.ConcreteModel) -> None:
    """Add the constraints |u[e, c]| <= s[e], called `at_most_s` and `at_least_minus_s`."""
    model.at_most_s = pyo.Constraint(
        model.edges, model.features, rule=lambda m, e, c: m.u[e, c] <= m.s[e]
    )
    model.at_least_minus_s = pyo.Constraint(
        model.edges, model.features, rule=lambda m, e, c: m.u[e, c] >= -m.s[e]
    )


class EdgeTerms(ABC):
    """The fusion terms of all edges with positive weight.

    Parameters
    ----------
    model : pyomo.environ.ConcreteModel
        A model with the set `features` and the variables `x[i, c]`. The set `edges` and the
        components of the subclass are added.
    ends : mapping of int to (int, int)
        The end points i < j of each edge.
    unit : float
        The unit of length, by which the sides of a complementarity are made dimensionless.
    """

    def __init__(
        self, model: pyo.ConcreteModel, ends: Mapping[int, tuple[int, int]], unit: float
    ) -> None:
        self.model, self.ends, self.unit = model, ends, unit
        model.edges = pyo.Set(initialize=list(ends), dimen=1)
        self._add()

    @abstractmethod
    def _add(self) -> None:
        """Add the variables of u and z, and the constraint ||z_e||_q <= 1."""

    def _add_differences(self) -> None:
        """Add the constraints `difference[e, c]`: x_ic - x_jc = difference(e, c) for e = (i, j)."""
        model = self.model
        model.difference = pyo.Constraint(
            model.edges,
            model.features,
            rule=lambda m, e, c: difference_of_rows(m, self.ends[e], c) == self.difference(e, c),
        )

    def add_sides(self) -> None:  # noqa: B027 (only one subclass has to add anything)
        """Add variables so that all complementarities have expressions for both sides G and H."""

    def set_stage(self, stage: ScheduleStage) -> None:  # noqa: B027 (only smoothed terms need it)
        """Set the parameters that depend on the stage."""

    @abstractmethod
    def difference(self, e: int, c: int) -> Any:
        """Return feature c of u_e."""

    @abstractmethod
    def dual(self, e: int, c: int) -> Any:
        """Return feature c of the scaled dual z_e."""

    @abstractmethod
    def length(self, e: int) -> Any:
        """Return an expression that is constrained to be at least ||u_e||_p."""

    @abstractmethod
    def complementarities(self, e: int) -> list[Complementarity]:
        """Return the complementarities of an edge. Their products times `unit` sum to its gap."""

    def multipliers(self) -> list[tuple[Any, Any]]:
        """Return pairs of a lower-level constraint and the variable that is its multiplier."""
        model = self.model
        return [(model.difference[index], model.z[index]) for index in model.difference]

    @abstractmethod
    def start(self, e: int, u: FloatArray, z: FloatArray) -> None:
        """Set the variables of an edge from u_e and z_e, both of shape (d,)."""

    def gap(self, e: int) -> Any:
        """Return the Fenchel-Young gap length(e) - <z_e, u_e> >= 0."""
        inner = sum(self.dual(e, c) * self.difference(e, c) for c in self.model.features)
        return self.length(e) - inner


class SplitEdges(EdgeTerms):
    """The fusion terms for p = 1, and for all p if d = 1.

    For each feature c, u = up - down, -1 <= z <= 1, 0 <= up _|_ 1 - z >= 0 and
    0 <= down _|_ 1 + z >= 0, with the variables `up[e, c]`, `down[e, c]` and `z[e, c]`.
    """

    def _add(self) -> None:
        model = self.model
        model.up = pyo.Var(model.edges, model.features, bounds=(0.0, None))
        model.down = pyo.Var(model.edges, model.features, bounds=(0.0, None))
        model.z = pyo.Var(model.edges, model.features, bounds=(-1.0, 1.0))
        self._add_differences()

    def difference(self, e: int, c: int) -> Any:
        return self.model.up[e, c] - self.model.down[e, c]

    def dual(self, e: int, c: int) -> Any:
        return self.model.z[e, c]

    def length(self, e: int) -> Any:
        return sum(self.model.up[e, c] + self.model.down[e, c] for c in self.model.features)

    def complementarities(self, e: int) -> list[Complementarity]:
        model, pairs = self.model, []
        for c in model.features:
            up, down, z = model.up[e, c], model.down[e, c], model.z[e, c]
            held = ((up, Side.at_upper_bound(1 - z, z)), (down, Side.at_lower_bound(1 + z, z)))
            for part, right in held:
                left = Side.at_lower_bound(part / self.unit, part, self.unit)
                pairs.append(Complementarity(left.expression * right.expression, left, right))
        return pairs

    def gap(self, e: int) -> Any:
        return self.unit * sum(pair.product for pair in self.complementarities(e))

    def start(self, e: int, u: FloatArray, z: FloatArray) -> None:
        for c in self.model.features:
            self.model.up[e, c].set_value(max(float(u[c]), 0.0))
            self.model.down[e, c].set_value(max(-float(u[c]), 0.0))
            self.model.z[e, c].set_value(float(np.clip(z[c], -1.0, 1.0)))


class EuclideanEdges(EdgeTerms):
    """The fusion terms for p = 2: s >= ||u||_2, ||z||_2 <= 1, and the product s - <z, u>.

    The variables are `u[e, c]`, `s[e]` and `z[e, c]`, the constraints `epigraph[e]` and
    `dual_ball[e]`. `add_sides` adds the variable `angle[e]` in [0, 2] and the constraint
    `alignment[e]`, <z, u> >= s (1 - angle), so that 0 <= s _|_ angle >= 0.
    """

    def _add(self) -> None:
        model = self.model
        model.u = pyo.Var(model.edges, model.features)
        model.s = pyo.Var(model.edges, bounds=(0.0, None))
        model.z = pyo.Var(model.edges, model.features, bounds=(-1.0, 1.0))
        model.dual_ball = pyo.Constraint(
            model.edges, rule=lambda m, e: sum(m.z[e, c] ** 2 for c in m.features) <= 1
        )
        model.epigraph = pyo.Constraint(
            model.edges, rule=lambda m, e: sum(m.u[e, c] ** 2 for c in m.features) <= m.s[e] ** 2
        )
        self._add_differences()

    def add_sides(self) -> None:
        model = self.model
        model.angle = pyo.Var(model.edges, bounds=(0.0, 2.0))
        model.alignment = pyo.Constraint(
            model.edges, rule=lambda m, e: self.gap(e) <= m.s[e] * m.angle[e]
        )

    def difference(self, e: int, c: int) -> Any:
        return self.model.u[e, c]

    def dual(self, e: int, c: int) -> Any:
        return self.model.z[e, c]

    def length(self, e: int) -> Any:
        return self.model.s[e]

    def complementarities(self, e: int) -> list[Complementarity]:
        product = self.gap(e) / self.unit
        angle = self.model.component("angle")
        if angle is None:
            return [Complementarity(product)]
        s = self.model.s[e]
        left = Side.at_lower_bound(s / self.unit, s, self.unit)
        return [Complementarity(product, left, Side.at_lower_bound(angle[e], angle[e]))]

    def start(self, e: int, u: FloatArray, z: FloatArray) -> None:
        model, length = self.model, float(np.linalg.norm(u))
        model.s[e].set_value(length)
        for c in model.features:
            model.u[e, c].set_value(float(u[c]))
            model.z[e, c].set_value(float(np.clip(z[c], -1.0, 1.0)))
        if model.component("angle") is not None:
            gap = max(length - float(u @ z), 0.0)
            model.angle[e].set_value(min(gap / length, 2.0) if length > 0 else 0.0)


class LargestEdges(EdgeTerms):
    """The fusion terms for p = inf: s >= |u_c| for all c, z = plus - minus, sum(plus + minus) <= 1.

    The complementarities are 0 <= s - u_c _|_ plus_c >= 0, 0 <= s + u_c _|_ minus_c >= 0 and
    0 <= s _|_ 1 - sum(plus + minus) >= 0. The variables are `u[e, c]`, `s[e]`, `plus[e, c]` and
    `minus[e, c]`, the constraints `at_most_s[e, c]`, `at_least_minus_s[e, c]` and `dual_ball[e]`.
    """

    def _add(self) -> None:
        model = self.model
        model.u = pyo.Var(model.edges, model.features)
        model.s = pyo.Var(model.edges, bounds=(0.0, None))
        model.plus = pyo.Var(model.edges, model.features, bounds=(0.0, 1.0))
        model.minus = pyo.Var(model.edges, model.features, bounds=(0.0, 1.0))
        bound_entries(model)
        model.dual_ball = pyo.Constraint(model.edges, rule=lambda m, e: self._used(e) <= 1)
        self._add_differences()

    def _used(self, e: int) -> Any:
        model = self.model
        return sum(model.plus[e, c] + model.minus[e, c] for c in model.features)

    def difference(self, e: int, c: int) -> Any:
        return self.model.u[e, c]

    def dual(self, e: int, c: int) -> Any:
        return self.model.plus[e, c] - self.model.minus[e, c]

    def length(self, e: int) -> Any:
        return self.model.s[e]

    def complementarities(self, e: int) -> list[Complementarity]:
        model, unit = self.model, self.unit
        s = model.s[e]
        ball = Side.at_row(1 - self._used(e), model.dual_ball[e])
        sides = [(Side.at_lower_bound(s / unit, s, unit), ball)]
        for c in model.features:
            u, plus, minus = model.u[e, c], model.plus[e, c], model.minus[e, c]
            above = Side.at_row((s - u) / unit, model.at_most_s[e, c], unit)
            below = Side.at_row((s + u) / unit, model.at_least_minus_s[e, c], unit)
            sides.append((above, Side.at_lower_bound(plus, plus)))
            sides.append((below, Side.at_lower_bound(minus, minus)))
        return [
            Complementarity(left.expression * right.expression, left, right)
            for left, right in sides
        ]

    def multipliers(self) -> list[tuple[Any, Any]]:
        model = self.model
        above = [(model.at_most_s[index], model.plus[index]) for index in model.at_most_s]
        below = [
            (model.at_least_minus_s[index], model.minus[index]) for index in model.at_least_minus_s
        ]
        return above + below

    def start(self, e: int, u: FloatArray, z: FloatArray) -> None:
        model = self.model
        model.s[e].set_value(float(np.abs(u).max()))
        scale = max(1.0, float(np.abs(z).sum()))
        for c in model.features:
            model.u[e, c].set_value(float(u[c]))
            model.plus[e, c].set_value(max(float(z[c]) / scale, 0.0))
            model.minus[e, c].set_value(max(-float(z[c]) / scale, 0.0))


class SmoothedEdges(EdgeTerms):
    """Smoothed fusion terms for p = 2: z = u / sqrt(||u||_2^2 + mu^2) replaces the dual variable.

    z is the gradient of the smoothed norm sqrt(||u||_2^2 + mu^2), and the central path of the
    complementarity in the second-order cone. There are no inequalities and no variables; `mu` is a
    parameter: the smoothing of the stage times its width.
    """

    def _add(self) -> None:
        self.model.mu = pyo.Var()

    def set_stage(self, stage: ScheduleStage) -> None:
        set_parameter(self.model.mu, stage.smoothing * stage.width * self.unit)

    def difference(self, e: int, c: int) -> Any:
        return difference_of_rows(self.model, self.ends[e], c)

    def dual(self, e: int, c: int) -> Any:
        return self.difference(e, c) / self.length(e)

    def length(self, e: int) -> Any:
        model = self.model
        return pyo.sqrt(sum(self.difference(e, c) ** 2 for c in model.features) + model.mu**2)

    def complementarities(self, e: int) -> list[Complementarity]:
        return []

    def multipliers(self) -> list[tuple[Any, Any]]:
        return []

    def start(self, e: int, u: FloatArray, z: FloatArray) -> None:
        """Do nothing: there are no variables."""


class SmoothedSplitEdges(SmoothedEdges):
    """Smoothed fusion terms for p = 1, for p = inf in the plane, and for all p if d = 1.

    The norm is `share` times the sum of the absolute values of v = `turn` u, each of which is
    smoothed to sqrt(v_c^2 + mu^2) (see `SmoothedAbsolute`).
    """

    def __init__(
        self,
        model: pyo.ConcreteModel,
        ends: Mapping[int, tuple[int, int]],
        unit: float,
        turn: FloatArray,
        share: float,
    ) -> None:
        self.turn, self.share = turn, share
        super().__init__(model, ends, unit)

    def _turned(self, e: int) -> list[Any]:
        """Return v."""
        return turned_entries([self.difference(e, c) for c in self.model.features], self.turn)

    def dual(self, e: int, c: int) -> Any:
        mu = self.model.mu
        return sum(
            self.share * float(t) * v / pyo.sqrt(v**2 + mu**2)
            for t, v in zip(self.turn[:, c], self._turned(e), strict=True)
            if t
        )

    def length(self, e: int) -> Any:
        return self.share * sum(pyo.sqrt(v**2 + self.model.mu**2) for v in self._turned(e))


def turned_entries(u: Sequence[Any], turn: FloatArray) -> list[Any]:
    """Return the entries of `turn` u as Pyomo expressions."""
    rows = turn.tolist()
    return [sum(t * u_c for t, u_c in zip(row, u, strict=True) if t) for row in rows]


def smoothed_edge_terms(p: float, d: int) -> Callable[..., EdgeTerms] | None:
    """Return what makes the smoothed terms; None for p = inf with d > 2, which has none."""
    turned = absolute_values(p, d)
    if turned is not None:
        return functools.partial(SmoothedSplitEdges, turn=turned[0], share=turned[1])
    return SmoothedEdges if p == 2 else None


def edge_terms(p: float, d: int) -> type[EdgeTerms]:
    """Return the class for the norm p of the fusion terms in d dimensions."""
    if p == 1 or d == 1:
        return SplitEdges
    return EuclideanEdges if p == 2 else LargestEdges
