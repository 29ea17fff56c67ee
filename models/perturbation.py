"""Perturbations of the parts of a learning model, affine in a short vector eps (paper, 2.2, 6.5).

Each part that moves has one linear operator T and moves by T eps, in the units that the learning
model gives (`LearningModel.rates`): data by A + T eps, weights in proportion, w_e (1 - (S eps)_e).
Every formulation and every gradient needs only the operators and the bounds of eps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike

from bilad.models.learning.fusion_graph import FusionGraph
from bilad.models.learning.learning_model import LearningModel
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

ROUNDING = 1e-12  # relative; eps may be so far outside its bounds

Model = TypeVar("Model", bound=LearningModel)


class Perturbation:
    """One linear operator for each part that moves, and bounds of eps.

    `shift`, `additive`, `multiplicative` and `edges` make the usual ones, `linear` any other of
    data and of weights.

    Parameters
    ----------
    operators : mapping of str to matrix, sparse or not, shape (size, k)
        For each part that moves, T; rows in the order of the part's `ravel()`.
    shapes : mapping of str to tuple of int
        For the same parts, their shapes.
    lower, upper : array_like, shape (k,), optional
        Bounds of eps, with lower <= 0 <= upper; infinite by default.
    structure : object, optional
        What the parts belong to besides their shapes, such as the graph of weights; it must suit
        `LearningModel.has_structure_of`.

    Attributes
    ----------
    operators, shapes, lower, upper, structure
        As given; operators as `scipy.sparse.csr_array`.

    Raises
    ------
    ArgumentError
        If the shapes do not agree, or 0 is out of bounds.
    """

    def __init__(
        self,
        operators: Mapping[str, Any],
        shapes: Mapping[str, tuple[int, ...]],
        lower: ArrayLike = -np.inf,
        upper: ArrayLike = np.inf,
        structure: Any = None,
    ) -> None:
        if not isinstance(operators, Mapping) or not operators or set(operators) != set(shapes):
            raise ArgumentError("operators", repr(operators), "a matrix for each part of `shapes`")
        self.shapes = MappingProxyType(dict(shapes))
        self.operators = MappingProxyType({name: _matrix(T, name) for name, T in operators.items()})
        self.dim = next(iter(self.operators.values())).shape[1]
        self.structure = structure
        self.lower = _bound(lower, "lower", self.dim)
        self.upper = _bound(upper, "upper", self.dim)
        self._check()

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle it by what it is made of, as a read-only mapping cannot be pickled."""
        parts = dict(self.operators), dict(self.shapes)
        return type(self), (*parts, self.lower, self.upper, self.structure)

    def _check(self) -> None:
        for name, T in self.operators.items():
            expected = (math.prod(self.shapes[name]), self.dim)
            if T.shape != expected:
                given = f"an operator of shape {T.shape} for {name!r}"
                raise ArgumentError("operators", given, f"one of shape {expected}")
        if self.dim == 0:
            raise ArgumentError("operator", "no columns", "a column for each entry of eps")
        if (self.lower > 0).any():
            raise ArgumentError("lower", f"{self.lower.max():g}", "at most 0")
        if (self.upper < 0).any():
            raise ArgumentError("upper", f"{self.upper.min():g}", "at least 0")

    @classmethod
    def linear(
        cls,
        shape: tuple[int, int],
        operator: Any = None,
        graph: FusionGraph | None = None,
        edge_operator: Any = None,
        lower: ArrayLike = -np.inf,
        upper: ArrayLike = np.inf,
    ) -> Perturbation:
        """Return A + T eps and w_e (1 - (S eps)_e): of data, of weights, or of both.

        Parameters
        ----------
        shape : tuple of int
            (n, d), the shape of the data.
        operator : matrix, sparse or not, shape (n d, k), optional
            T; rows in the order of `data.ravel()`. None if no data are perturbed.
        graph : FusionGraph, optional
            Whose weights are perturbed; only its edges count.
        edge_operator : matrix, sparse or not, shape (m, k), optional
            S; rows in the order of the graph's edges. None, as the graph, if no weight is
            perturbed.
        lower, upper
            As in `Perturbation`.
        """
        operators: dict[str, sp.csr_array] = {}
        shapes: dict[str, tuple[int, ...]] = {}
        n, d = _check_shape(shape, least_d=1)
        if graph is not None and not isinstance(graph, FusionGraph):
            raise ArgumentError("graph", type(graph).__name__, "a FusionGraph")
        if (graph is None) != (edge_operator is None):
            expected = "a matrix" if edge_operator is None else "None, as there is no graph"
            raise ArgumentError("edge_operator", type(edge_operator).__name__, expected)
        if operator is not None or graph is None:
            operators["data"], shapes["data"] = _matrix(operator, "operator", n * d), (n, d)
        if graph is not None:
            k = operators["data"].shape[1] if operators else None
            operators["weights"] = -_matrix(edge_operator, "edge_operator", graph.m, k)
            shapes["weights"] = (graph.m,)
        return cls(operators, shapes, lower, upper, graph)

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
        return cls.linear(V.shape, sp.csr_array(V.reshape(-1, 1)))

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
        return cls.linear((n, d), _selection(entries, np.ones(len(entries)), n * d))

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
        return cls.linear((n, d), _selection(entries, factors, n * d))

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
        taken = _selection(chosen, np.ones(len(chosen)), graph.m)
        return cls({"weights": -taken}, {"weights": (graph.m,)}, 0.0, 1.0, graph)

    def in_units(self, eps_unit: float, units: Mapping[str, float]) -> Perturbation:
        """Return the same perturbation for eps, and parts, measured in these units."""
        scaled = {name: T * (eps_unit / units.get(name, 1.0)) for name, T in self.operators.items()}
        return Perturbation(
            scaled, self.shapes, self.lower / eps_unit, self.upper / eps_unit, self.structure
        )

    def along(self, direction: ArrayLike, lower: float, upper: float) -> Perturbation:
        """Return the perturbation t times a direction (k,), with lower <= t <= upper."""
        column = real_vector(direction, "direction", self.dim)[:, None]
        moved = {name: sp.csr_array(T @ column) for name, T in self.operators.items()}
        return Perturbation(moved, self.shapes, lower, upper, self.structure)

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

    def changes(self, eps: ArrayLike) -> dict[str, FloatArray]:
        """Return T eps for each part that moves, in the part's shape."""
        vector = self.vector(eps)
        return {
            name: np.asarray(T @ vector).reshape(self.shapes[name])
            for name, T in self.operators.items()
        }

    def check_fits(self, model: LearningModel) -> None:
        """Raise `ArgumentError` if the model has other parts or edges than are perturbed."""
        if not isinstance(model, LearningModel):
            raise ArgumentError("model", type(model).__name__, "a learning model, with data")
        if not model.has_structure_of(self.structure):
            raise ArgumentError("perturbation", "other edges", "the edges of the model's graph")
        for name, shape in self.shapes.items():
            part = model.parts.get(name)
            if part is None:
                expected = f"parts of the model, {', '.join(map(repr, model.parts))}"
                raise ArgumentError("perturbation", f"part {name!r}", expected)
            if part.shape != shape:
                raise ArgumentError("perturbation", f"shape {shape}", f"{part.shape} as the {name}")

    def apply(self, model: Model, eps: ArrayLike) -> Model:
        """Return the model with its parts moved: the data A + T eps, the weights w (1 - S eps).

        Raises
        ------
        ArgumentError
            If the model has parts of other shapes or a graph with other edges, or eps is wrong.
        """
        self.check_fits(model)
        return model.perturbed(self.changes(eps))


def _check_shape(shape: Any, least_d: int) -> tuple[int, int]:
    if not isinstance(shape, tuple | list) or len(shape) != 2:
        raise ArgumentError("shape", repr(shape), "a pair (n, d)")
    n, d = shape
    return whole_number(n, "shape", least=1), whole_number(d, "shape", least=least_d)


def _matrix(
    value: Any, name: str, rows: int | None = None, columns: int | None = None
) -> sp.csr_array:
    expected = "a finite real matrix, sparse or not"
    for wanted, what in ((rows, "rows"), (columns, "columns")):
        expected += "" if wanted is None else f", of {wanted} {what}"
    matrix = number_matrix(value, name, expected)
    for given, wanted in zip(matrix.shape, (rows, columns), strict=True):
        if wanted not in (None, given):
            raise ArgumentError(name, f"shape {matrix.shape}", expected)
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
