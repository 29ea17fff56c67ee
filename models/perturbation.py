"""Perturbations of the data or of the weights, affine in a short vector eps (paper, 2.2 and 6.5).

A(eps) = A + T eps and w_e(eps) = w_e (1 - (S eps)_e), for eps between bounds. Every formulation and
every gradient needs only T, S and the bounds.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike

from bilad.models.convex_clustering import ConvexClustering
from bilad.models.fusion_graph import FusionGraph
from bilad.models.learning_model import LearningModel
from bilad.models.validation import (
    ArgumentError,
    FloatArray,
    IntArray,
    index_array,
    number_array,
    number_matrix,
    real_array,
    real_vector,
    whole_number,
)

ROUNDING = 1e-12  # eps may be so far outside its bounds, and 1 - (S eps)_e so far from 0

Model = TypeVar("Model", bound=LearningModel)


class Perturbation:
    """A + T eps and w (1 - S eps). Made by `shift`, `additive`, `multiplicative` or `edges`.

    Parameters
    ----------
    shape : tuple of int
        (n, d), the shape of the data; (n, 0) if only weights are perturbed, whatever d.
    operator : sparse array, shape (n d, k)
        T; rows in the order of `data.ravel()`.
    graph : FusionGraph, optional
        Whose weights are perturbed; only its edges count.
    edge_operator : sparse array, shape (m, k), optional
        S; rows in the order of the graph's edges. None, as the graph, if no weight is perturbed.
    lower, upper : array_like, shape (k,), optional
        Bounds of eps, with lower <= 0 <= upper; infinite by default.

    Attributes
    ----------
    shape, operator, graph, edge_operator, lower, upper
        As given.

    Raises
    ------
    ArgumentError
        If the shapes do not agree, a graph comes without its operator, or 0 is out of bounds.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        operator: sp.csr_array,
        graph: FusionGraph | None = None,
        edge_operator: sp.csr_array | None = None,
        lower: ArrayLike = -np.inf,
        upper: ArrayLike = np.inf,
    ) -> None:
        self.shape = _check_shape(shape, least_d=0)
        self.operator = _matrix(operator, "operator")
        self.graph = graph
        self.edge_operator = (
            None if edge_operator is None else _matrix(edge_operator, "edge_operator")
        )
        self.lower = _bound(lower, "lower", self.dim)
        self.upper = _bound(upper, "upper", self.dim)
        self._check()

    def _check(self) -> None:
        if self.graph is not None and not isinstance(self.graph, FusionGraph):
            raise ArgumentError("graph", type(self.graph).__name__, "a FusionGraph")
        n, d = self.shape
        if self.operator.shape[0] != n * d:
            raise ArgumentError(
                "operator", f"{self.operator.shape[0]} rows", f"{n * d}, for data of shape {(n, d)}"
            )
        if self.dim == 0:
            raise ArgumentError("operator", "no columns", "a column for each entry of eps")
        weights = None if self.graph is None else (self.graph.m, self.dim)
        given = None if self.edge_operator is None else self.edge_operator.shape
        if given != weights:
            raise ArgumentError("edge_operator", f"shape {given}", f"shape {weights}")
        if (self.lower > 0).any():
            raise ArgumentError("lower", f"{self.lower.max():g}", "at most 0")
        if (self.upper < 0).any():
            raise ArgumentError("upper", f"{self.upper.min():g}", "at least 0")

    @classmethod
    def shift(cls, direction: ArrayLike) -> Perturbation:
        """One eps times a fixed direction V: A(eps) = A + eps V.

        Parameters
        ----------
        direction : array_like, shape (n, d)
            V, finite and not zero.
        """
        V = real_array(direction, "direction", (None, None))
        if not V.any():
            raise ArgumentError("direction", "zeros only", "at least one entry that is not zero")
        return cls(V.shape, sp.csr_array(V.reshape(-1, 1)))

    @classmethod
    def additive(
        cls,
        shape: tuple[int, int],
        points: ArrayLike | None = None,
        features: ArrayLike | None = None,
    ) -> Perturbation:
        """One eps for every chosen entry of the data, in row-major order.

        Parameters
        ----------
        shape : tuple of int
            (n, d), the shape of the data.
        points, features : array_like of int, optional
            Rows and columns that may move; all by default.
        """
        n, d = _check_shape(shape, least_d=1)
        entries = _entries(n, d, points, features)
        return cls((n, d), _selection(entries, np.ones(len(entries)), n * d))

    @classmethod
    def multiplicative(
        cls,
        data: ArrayLike,
        points: ArrayLike | None = None,
        features: ArrayLike | None = None,
    ) -> Perturbation:
        """One eps for every chosen entry of the data, a_ij (1 + eps), in row-major order.

        Parameters
        ----------
        data : array_like, shape (n, d)
            A, of the model that is to be perturbed. An entry that is zero stays so whatever its
            eps; not all of the chosen ones may be.
        points, features : array_like of int, optional
            Rows and columns that may move; all by default.
        """
        A = real_array(data, "data", (None, None))
        n, d = A.shape
        entries = _entries(n, d, points, features)
        factors = A.ravel()[entries]
        if not factors.any():
            raise ArgumentError(
                "data", "zeros only where it may move", "at least one entry that is not zero"
            )
        return cls((n, d), _selection(entries, factors, n * d))

    @classmethod
    def edges(cls, graph: FusionGraph, edges: ArrayLike | None = None) -> Perturbation:
        """One eps for every chosen edge: w_e (1 - eps_e), 0 <= eps_e <= 1; at 1 the edge is gone.

        Parameters
        ----------
        graph : FusionGraph
            Of the model that is to be perturbed.
        edges : array_like of int, optional
            Rows of `graph.edges`; all by default.
        """
        if not isinstance(graph, FusionGraph):
            raise ArgumentError("graph", type(graph).__name__, "a FusionGraph")
        if graph.m == 0:
            raise ArgumentError("graph", "no edges", "at least one edge")
        chosen = np.arange(graph.m) if edges is None else index_array(edges, "edges", graph.m)
        k = len(chosen)
        return cls(
            (graph.n, 0),
            sp.csr_array((0, k)),
            graph,
            _selection(chosen, np.ones(k), graph.m),
            lower=0.0,
            upper=1.0,
        )

    @property
    def dim(self) -> int:
        """k, the length of eps."""
        return int(self.operator.shape[1])

    def in_units(self, eps_unit: float, data_unit: float) -> Perturbation:
        """Return the same perturbation for eps and data measured in these units."""
        scaled_edges = None if self.edge_operator is None else self.edge_operator * eps_unit
        return Perturbation(
            self.shape,
            self.operator * (eps_unit / data_unit),
            self.graph,
            scaled_edges,
            self.lower / eps_unit,
            self.upper / eps_unit,
        )

    def along(self, direction: ArrayLike, lower: float, upper: float) -> Perturbation:
        """Return the perturbation t times a direction (k,), with lower <= t <= upper."""
        column = real_vector(direction, "direction", self.dim)[:, None]
        edges = None if self.edge_operator is None else sp.csr_array(self.edge_operator @ column)
        operator = sp.csr_array(self.operator @ column)
        return Perturbation(self.shape, operator, self.graph, edges, lower, upper)

    def vector(self, eps: ArrayLike) -> FloatArray:
        """Return eps as an array of shape (k,), clipped where rounding put it out of bounds.

        Raises
        ------
        ArgumentError
            If eps has another length, is not finite, or is out of bounds by more than rounding.
        """
        given = real_vector(eps, "eps", self.dim)
        if (given >= self.lower).all() and (given <= self.upper).all():
            return given
        clipped = np.clip(given, self.lower, self.upper)
        outside = np.abs(given - clipped) > ROUNDING * (1 + np.abs(clipped))
        if outside.any():
            k = int(np.argmax(outside))
            raise ArgumentError(
                "eps",
                f"{given[k]:g} at index {k}",
                f"a number from {self.lower[k]:g} to {self.upper[k]:g}",
            )
        return clipped

    def displacement(self, eps: ArrayLike) -> FloatArray:
        """Return T eps as an array of this perturbation's shape, (n, d)."""
        return np.asarray(self.operator @ self.vector(eps)).reshape(self.shape)

    def fits_data(self, model: LearningModel) -> bool:
        """Whether the model's data have the shape that is perturbed."""
        return self.shape in (model.data.shape, (model.n, 0))

    def check_fits(self, model: LearningModel) -> None:
        """Raise `ArgumentError` if the model has other data, or other edges, than are perturbed."""
        if not isinstance(model, LearningModel):
            raise ArgumentError("model", type(model).__name__, "a learning model, with data")
        if not self.fits_data(model):
            raise ArgumentError(
                "perturbation", f"shape {self.shape}", f"{model.data.shape} as the data"
            )
        if self.graph is None:
            return
        if not isinstance(model, ConvexClustering) or not self.graph.has_edges_of(model.graph):
            raise ArgumentError("perturbation", "other edges", "the edges of the model's graph")

    def apply(self, model: Model, eps: ArrayLike) -> Model:
        """Return the model at the data A + T eps and the weights w (1 - S eps).

        Raises
        ------
        ArgumentError
            If the model has data of another shape or a graph with other edges, or eps is wrong.
        """
        self.check_fits(model)
        vector = self.vector(eps)
        if self.shape == model.data.shape:
            model = model.with_data(model.data + self.displacement(vector))
        if self.edge_operator is not None and isinstance(model, ConvexClustering):
            rest = 1.0 - self.edge_operator @ vector
            rest[np.abs(rest) <= ROUNDING] = 0.0  # the edge is gone, and a forest may be left
            model = model.with_graph(model.graph.with_weights(model.graph.weights * rest))
        return model


def _check_shape(shape: Any, least_d: int) -> tuple[int, int]:
    if not isinstance(shape, tuple | list) or len(shape) != 2:
        raise ArgumentError("shape", repr(shape), "a pair (n, d)")
    n, d = shape
    return whole_number(n, "shape", least=1), whole_number(d, "shape", least=least_d)


def _matrix(value: Any, name: str) -> sp.csr_array:
    expected = "a finite real matrix, sparse or not"
    matrix = number_matrix(value, name, expected)
    if not np.isfinite(matrix.data).all():
        raise ArgumentError(name, "an entry that is infinite or NaN", expected)
    return matrix


def _bound(value: ArrayLike, name: str, k: int) -> FloatArray:
    """Return a read-only bound of eps: shape (k,)."""
    expected = f"a number, or {k}, none of them NaN"
    bound = number_array(value, name, expected)
    if bound.shape not in ((), (k,)):
        raise ArgumentError(name, f"shape {bound.shape}", expected)
    if np.isnan(bound).any():
        raise ArgumentError(name, "NaN", expected)
    return np.broadcast_to(bound, (k,))


def _entries(n: int, d: int, points: ArrayLike | None, features: ArrayLike | None) -> IntArray:
    """Return where the chosen rows and columns meet, as places in `data.ravel()`."""
    rows = np.arange(n) if points is None else index_array(points, "points", n)
    columns = np.arange(d) if features is None else index_array(features, "features", d)
    return (rows[:, None] * d + columns[None, :]).ravel()


def _selection(places: IntArray, values: FloatArray, length: int) -> sp.csr_array:
    """Return the matrix that puts `values[k]` times eps_k at `places[k]`: shape (length, k)."""
    k = len(places)
    matrix = sp.csr_array((values, (places, np.arange(k))), shape=(length, k))
    matrix.eliminate_zeros()
    return matrix
