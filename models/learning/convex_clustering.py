"""Convex clustering (CVC), the learning model of the case study (paper, Example 2).

    primal:  min_X  1/2 ||X - A||_F^2 + gamma sum_e w_e ||x_i - x_j||_p,       p in {1, 2, inf}
    dual:    max_Z  1/2 ||A||_F^2 - 1/2 ||A - B'Z||_F^2   s.t.  ||z_e||_q <= gamma w_e

A (n, d) is the data, e = (i, j) an edge of the fusion graph with weight w_e and incidence matrix B,
and 1/p + 1/q = 1. The primal solution X* = A - B'Z* is unique. Two points share a cluster if and
only if their rows of X* are equal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, partial
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from bilad.models.learning.fusion_graph import FusionGraph
from bilad.models.learning.learning_model import LearningModel, NormalForm, normal_form
from bilad.models.norms import check_norm, conjugate, norm_name, project_rows, row_norms
from bilad.models.rounding import (
    ABOVE,
    RoundedArray,
    array_sum,
    fractions,
    product_errors,
    scaled_bounds,
    unknown,
    with_errors,
)
from bilad.models.validation import ArgumentError, FloatArray, IntArray, real_array, real_number

ROUNDING = 1e-12  # relative; a perturbed weight at most this fraction of the weight becomes 0


class ConvexClustering(LearningModel):
    """A convex clustering model: data, fusion graph, gamma and p. Immutable.

    Parameters
    ----------
    data : array_like or pandas.DataFrame, shape (n, d)
        A, one row per point, n >= 2, d >= 1, finite. The model keeps the names and the index of a
        data frame, as `feature_names` and `index`.
    graph : FusionGraph
        A graph on the same n points.
    gamma : float
        The weight of the fusion terms, gamma >= 0, in the unit of the data.
    p : {1, 2, inf}, default 2
        The norm of the fusion terms.

    Attributes
    ----------
    rounding : ndarray, shape (n, d), or None
        The model at eps has the data A + T eps and the weights w (1 - S eps), rounded. Its exact
        labels are those of its own weights and of some data that differ by at most `rounding`. The
        labels are proved for all such data. None if the data and weights are exact.

    Raises
    ------
    ArgumentError
        If the data are not finite or not of shape (n, d), the graph has another n, gamma is
        negative, or p is not 1, 2 or inf.
    """

    def __init__(self, data: ArrayLike, graph: FusionGraph, gamma: float, p: Any = 2) -> None:
        super().__init__(data)
        if not isinstance(graph, FusionGraph):
            raise ArgumentError("graph", type(graph).__name__, "a FusionGraph")
        if graph.n != len(self.data):
            raise ArgumentError("graph", f"n = {graph.n}", f"n = {len(self.data)} as in data")
        self.graph = graph
        self.gamma = real_number(gamma, "gamma", least=0.0)
        self.p = check_norm(p, "p")
        self._rounded: Mapping[str, RoundedArray] = {}

    def summary(self) -> dict[str, Any]:
        """Return the sizes of the data and of the graph, gamma and p."""
        return {**super().summary(), "edges": self.graph.m, "gamma": self.gamma, "p": self.p}

    def _content(self) -> dict[str, Any]:
        return {**super()._content(), "p": norm_name(self.p)}

    def _with(
        self,
        data: ArrayLike | None = None,
        graph: FusionGraph | None = None,
        gamma: float | None = None,
    ) -> Self:
        """Return the same model with other arguments, and the same names."""
        kept = {"data": data is None, "weights": graph is None}
        same = type(self)(
            self.data if data is None else data,
            self.graph if graph is None else graph,
            self.gamma if gamma is None else gamma,
            self.p,
        )._set_names(self._names)
        return same._set_rounded({name: part for name, part in self._rounded.items() if kept[name]})

    def _set_rounded(self, parts: Mapping[str, RoundedArray]) -> Self:
        self._rounded = {name: part for name, part in parts.items() if part.errors.any()}
        return self

    @cached_property
    def rounding(self) -> FloatArray | None:
        """Bounds on the errors of the data, which stand for those of the weights too; or None."""
        if not self._rounded:
            return None
        total = np.zeros(self.data.shape)
        if "data" in self._rounded:
            total += self._rounded["data"].errors
        if "weights" in self._rounded:
            # If Z* is scaled to other capacities, it is optimal for the data A + B'(its change).
            errors = scaled_bounds(self._rounded["weights"].errors, self.gamma)
            for end in self.graph.ends:
                total += np.bincount(end, errors, self.n)[:, None]
        return ABOVE * total

    def rounded(self, errors: FloatArray) -> Self:
        """Return the same model with other bounds on the errors of the data: shape (n, d)."""
        return self._with(self.data)._set_rounded({"data": with_errors(self.data, errors)})

    @property
    def uniform_weight(self) -> float | None:
        """The weight of all edges if the graph is complete, and its weights are exact and equal."""
        return None if "weights" in self._rounded else self.graph.uniform_weight

    def exact_parts(self) -> tuple[list[list[Fraction]], list[Fraction]] | None:
        """Return the columns of the data and the weights before rounding, or None if not known.

        There is one weight only if there is a `uniform_weight`.
        """
        uniform = self.uniform_weight
        given = {
            "data": self.data.ravel(),
            "weights": self.graph.weights if uniform is None else [uniform],
        }
        data, weights = (
            self._rounded[name].exact() if name in self._rounded else fractions(part)
            for name, part in given.items()
        )
        if data is None or weights is None:
            return None
        return [data[k :: self.d] for k in range(self.d)], weights

    @cached_property
    def radii(self) -> FloatArray:
        """The radius gamma w_e of the ball of each dual variable z_e: shape (m,)."""
        return self.gamma * self.graph.weights

    @property
    def parts(self) -> Mapping[str, FloatArray]:
        """The data, shape (n, d), and the edge weights, shape (m,)."""
        return {"data": self.data, "weights": self.graph.weights}

    def replace(self, **parts: ArrayLike) -> Self:
        """Return the same model with other data, other weights, or both."""
        unknown = set(parts) - {"data", "weights"}
        if unknown:
            raise ArgumentError("parts", ", ".join(sorted(unknown)), "'data', 'weights'")
        data = graph = None
        if "data" in parts:
            data = real_array(parts["data"], "data", self.data.shape)
        if "weights" in parts:
            graph = self.graph.with_weights(parts["weights"])
        return self._with(data, graph)

    def scale(self, part: str) -> FloatArray:
        """Return 1 for the data, and w for the weights, whose perturbations are relative."""
        return self.graph.weights if part == "weights" else super().scale(part)

    def diameter(self, part: str) -> float:
        """Return the diameter of the data; inf for the weights."""
        return np.inf if part == "weights" else super().diameter(part)

    def perturbed(self, changes: Mapping[str, RoundedArray]) -> Self:
        """Return the model with the data A + change and the weights w (1 + change).

        Its `rounding` refers to this model as if it were exact.
        """
        parts = {}
        if "data" in changes:
            parts["data"] = array_sum(self.data, changes["data"])
        if "weights" in changes:
            parts["weights"] = self._perturbed_weights(changes["weights"])
        model = self.replace(**{name: part.values for name, part in parts.items()})
        return model._set_rounded(parts)

    def _perturbed_weights(self, change: RoundedArray) -> RoundedArray:
        weights, factors = self.graph.weights, array_sum(np.ones(self.graph.m), change)
        rest, errors = factors.values, factors.errors
        small = (np.abs(rest) <= ROUNDING) & (rest != 0)
        rest, errors = np.where(small, 0.0, rest), errors + np.where(small, np.abs(rest), 0.0)
        errors = ABOVE * (scaled_bounds(errors, weights) + product_errors(weights, rest))
        exact = partial(_exact_product, weights, factors.exact)
        # An exact zero removes the edge.
        return with_errors(weights * rest, errors, unknown if small.any() else exact)

    def has_structure_of(self, other: Any) -> bool:
        """Return whether `other` is None or a graph with the edges of this model's graph."""
        return other is None or other.has_edges_of(self.graph)

    def with_graph(self, graph: FusionGraph) -> Self:
        """Return the same model with another graph on the same points."""
        return self._with(graph=graph)

    def with_gamma(self, gamma: float) -> Self:
        """Return the same model with another gamma >= 0.

        Raises
        ------
        ArgumentError
            If gamma is negative or not finite.
        """
        return self._with(gamma=real_number(gamma, "gamma", least=0.0))

    def without(self, points: ArrayLike) -> Self:
        """Return the model without some points and their edges; the order of the others is kept.

        Parameters
        ----------
        points : array_like of int
            Indices of the points to remove, without repetition. At least two points must remain.
        """
        graph = self.graph.without(points)
        removed = np.asarray(points, dtype=np.int64)
        smaller = type(self)(np.delete(self.data, removed, axis=0), graph, self.gamma, self.p)
        return smaller._set_names(self._names and self._names.without(removed))._set_rounded(
            self._rounded_without(removed)
        )

    def _rounded_without(self, points: IntArray) -> dict[str, RoundedArray]:
        parts = {}
        for name, part in self._rounded.items():
            lost = np.isin(self.graph.edges, points).any(axis=1) if name == "weights" else points
            values, errors = (np.delete(a, lost, axis=0) for a in (part.values, part.errors))
            parts[name] = with_errors(values, errors)
        return parts

    def standardised(self) -> tuple[ConvexClustering, FloatArray, float]:
        """Return the model for the data (A - centre) / unit, the centre (d,) and the unit.

        The centre is the mean of the rows, and the unit is the root mean square of the centred
        data, or 1 if all points coincide. If X and Z solve the standardised model, centre + unit X
        and unit Z solve this one.
        """
        first = self.data[0]
        centre = first if (self.data == first).all() else self.data.mean(axis=0)  # not rounded
        centred = self.data - centre
        unit = float(np.sqrt(np.mean(centred**2))) or 1.0
        return self._with(centred / unit, gamma=self.gamma / unit), centre, unit

    def primal(self, X: FloatArray) -> float:
        """Return the primal objective at X, shape (n, d)."""
        misfit = X - self.data
        variation = self.graph.total_variation(X, self.p) if self.gamma else 0.0
        return 0.5 * float(np.vdot(misfit, misfit)) + self.gamma * variation

    def dual(self, Z: FloatArray) -> float:
        """Return the dual objective at the projection of Z, shape (m, d), onto the feasible set."""
        flow = self.graph.adjoint(self.project_dual(Z))
        return float(np.vdot(self.data, flow) - 0.5 * np.vdot(flow, flow))

    def project_dual(self, Z: FloatArray) -> FloatArray:
        """Return the Euclidean projection of Z onto {Z : ||z_e||_q <= gamma w_e for all e}."""
        return project_rows(Z, self.radii, conjugate(self.p))

    def absolute_gap(self, X: FloatArray, Z: FloatArray) -> float:
        """Return primal(X) - dual(Z) for the projected Z, as a sum of nonnegative terms.

        With u_e = x_i - x_j, the gap equals

            1/2 ||X - A + B'Z||_F^2 + sum_e (gamma w_e ||u_e||_p - <z_e, u_e>).

        In this form a small gap is not lost to cancellation between the two objectives.
        """
        Z = self.project_dual(Z)
        residual = X - self.data + self.graph.adjoint(Z)
        U = self.graph.differences(X)
        edges = self.radii * row_norms(U, self.p) - np.einsum("ij,ij->i", Z, U)
        return 0.5 * float(np.vdot(residual, residual)) + float(np.maximum(edges, 0.0).sum())

    def gap(self, X: FloatArray, Z: FloatArray) -> float:
        """Return the relative duality gap, (primal - dual) / (1 + |primal|)."""
        return self.absolute_gap(X, Z) / (1.0 + abs(self.primal(X)))

    def kkt_residual(self, X: FloatArray, Z: FloatArray) -> float:
        """Return the relative KKT residual (Sun, Toh and Yuan, 2021, section 5).

        It is max(||X - A + B'Z||_F, ||Z - Pi(Z + BX)||_F) / (1 + ||A||_F), where Pi is the
        projection onto the dual feasible set.
        """
        stationarity = np.linalg.norm(X - self.data + self.graph.adjoint(Z))
        fixed_point = self.project_dual(Z + self.graph.differences(X))
        complementarity = np.linalg.norm(Z - fixed_point)
        scale = 1.0 + np.linalg.norm(self.data)
        return float(max(stationarity, complementarity) / scale)


def _exact_product(
    weights: FloatArray, factors: Callable[[], list[Fraction] | None]
) -> list[Fraction] | None:
    exact = factors()
    return exact and [x * y for x, y in zip(fractions(weights), exact, strict=True)]


@dataclass(frozen=True)
class ScaledClustering:
    """A solution of convex clustering, converted to other units.

    Attributes
    ----------
    X : ndarray, shape (n, d)
        Primal solution.
    Z : ndarray, shape (m, d)
        Dual solution.
    labels : ndarray of int, shape (n,)
    distance_bound : float
        A proved upper bound of ||X - X*||_F.
    """

    X: FloatArray
    Z: FloatArray
    labels: IntArray
    distance_bound: float

    @property
    def outcome(self) -> IntArray:
        """The labels, which deviations compare."""
        return self.labels

    @property
    def state(self) -> FloatArray:
        """X, of which smooth deviations are functions."""
        return self.X


@normal_form.register(ConvexClustering)
def _centred(model: ConvexClustering) -> NormalForm:
    scaled, centre, unit = model.standardised()

    def into(solution: Any) -> ScaledClustering:
        return ScaledClustering(
            (solution.X - centre) / unit,
            solution.Z / unit,
            solution.labels,
            solution.distance_bound / unit,
        )

    return NormalForm(scaled, {"data": unit}, into, lambda X: centre + unit * X)
