"""Perturbations of a learning model: affine maps from a vector eps to its parts (paper, 2.2, 6.5).

A part is an array of the model, such as the data A or the edge weights w. With one matrix T for
each perturbed part and the elementwise factor `LearningModel.scale`, the perturbed part is

    part + scale * (T eps),        so that        A(eps) = A + T eps,    w(eps) = w (1 - S eps),

where the scale is 1 for data and w for weights, and S = -T for weights. Formulations and gradients
use only these matrices and the bounds of eps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import scipy
from numpy.typing import ArrayLike

from bilad.models.learning.fusion_graph import FusionGraph
from bilad.models.learning.learning_model import LearningModel
from bilad.models.representation import Represented
from bilad.models.rounding import RoundedArray, matrix_product
from bilad.models.validation import (
    ArgumentError,
    FloatArray,
    IntArray,
    index_array,
    number_array,
    number_matrix,
    real_array,
    real_vector,
    shown,
    whole_number,
)

if TYPE_CHECKING:
    from pandas import DataFrame

AXES = {"data": ["point", "feature"], "targets": ["point"], "weights": ["edge"]}
ROUNDING = 1e-12  # relative; an eps that violates its bounds by at most this is clipped

Model = TypeVar("Model", bound=LearningModel)


class Perturbation(Represented):
    """Matrices T, one for each perturbed part, and bounds of eps.

    Use `shift`, `additive`, `multiplicative`, `targets`, `flips` or `edges` for the usual
    perturbations, and `linear` for any other affine perturbation of data and weights.

    Parameters
    ----------
    operators : mapping of str to matrix, dense or sparse, shape (size of the part, k)
        The matrix T of each perturbed part. Its rows follow the order of the part's `ravel()`.
    shapes : mapping of str to tuple of int
        The shape of each of these parts.
    lower, upper : array_like, shape () or (k,), optional
        Bounds of eps, with lower <= 0 <= upper; infinite by default.
    structure : object, optional
        What the model must have in common with the perturbation besides the shapes, such as the
        graph whose weights are perturbed. `LearningModel.has_structure_of` compares it.

    Attributes
    ----------
    operators : mapping of str to scipy.sparse.csr_array
    shapes : mapping of str to tuple of int
    dim : int
        k, the number of entries of eps.
    lower, upper : ndarray, shape (k,)
    structure : object or None

    Raises
    ------
    ArgumentError
        If the shapes do not agree, or 0 violates the bounds.
    """

    def __init__(
        self,
        operators: Mapping[str, Any],
        shapes: Mapping[str, tuple[int, ...]],
        lower: ArrayLike = -np.inf,
        upper: ArrayLike = np.inf,
        structure: Any = None,
    ) -> None:
        if not isinstance(shapes, Mapping) or not all(map(_is_shape, shapes.values())):
            raise ArgumentError("shapes", shown(shapes), "a tuple of whole numbers for each part")
        if not isinstance(operators, Mapping) or not operators or set(operators) != set(shapes):
            raise ArgumentError("operators", shown(operators), "a matrix for each part of `shapes`")
        self.shapes = MappingProxyType(dict(shapes))
        self.operators = MappingProxyType(
            {name: _matrix(T, f"operators {name}") for name, T in operators.items()}
        )
        self.dim = next(iter(self.operators.values())).shape[1]
        self.structure = structure
        self.lower = _bound(lower, "lower", self.dim)
        self.upper = _bound(upper, "upper", self.dim)
        self._is_bounded = bool(np.isfinite([self.lower, self.upper]).any())
        self._check()

    def summary(self) -> dict[str, Any]:
        """Return the perturbed parts with their shapes, k, and the bounds of eps if it has any."""
        ends = {"lower": float(self.lower.min()), "upper": float(self.upper.max())}
        bounds = {name: end for name, end in ends.items() if math.isfinite(end)}
        return {**self.shapes, "k": self.dim, **bounds}

    def __reduce__(self) -> tuple[Any, ...]:
        """Return the constructor's arguments: a read-only mapping cannot be pickled or copied."""
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
        """Return the perturbation A(eps) = A + T eps, w(eps) = w (1 - S eps).

        Parameters
        ----------
        shape : tuple of int
            (n, d), the shape of the data.
        operator : matrix, dense or sparse, shape (n d, k), optional
            T, with rows in the order of `data.ravel()`. None if the data are not perturbed.
        graph : FusionGraph, optional
            The graph whose weights are perturbed. Only its edges are used.
        edge_operator : matrix, dense or sparse, shape (m, k), optional
            S, with rows in the order of the graph's edges. It is given if and only if `graph` is.
        lower, upper : array_like, optional
            Bounds of eps, as in `Perturbation`.
        """
        operators: dict[str, scipy.sparse.csr_array] = {}
        shapes: dict[str, tuple[int, ...]] = {}
        n, d = _check_shape(shape, least_d=1)
        if graph is not None and not isinstance(graph, FusionGraph):
            raise ArgumentError("graph", type(graph).__name__, "a FusionGraph")
        if (graph is None) != (edge_operator is None):
            expected = "a matrix" if edge_operator is None else "None, because there is no graph"
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
        """Return A(eps) = A + eps V, with one number eps and a fixed direction V.

        Parameters
        ----------
        direction : array_like, shape (n, d)
            V, finite and not zero.
        """
        V = real_array(direction, "direction", (None, None))
        if not V.any():
            raise ArgumentError("direction", "zeros only", "at least one entry that is not zero")
        return cls.linear(V.shape, scipy.sparse.csr_array(V.reshape(-1, 1)))

    @classmethod
    def additive(
        cls,
        shape: tuple[int, int],
        points: ArrayLike | None = None,
        features: ArrayLike | None = None,
    ) -> Perturbation:
        """Return A(eps) = A + eps on the chosen entries of A, one eps for each in row-major order.

        Parameters
        ----------
        shape : tuple of int
            (n, d), the shape of the data.
        points, features : array_like of int, optional
            The entries in these rows and columns are perturbed; all by default.
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
        """Return a_ij(eps) = a_ij (1 + eps) on chosen entries, one eps for each in row-major order.

        Parameters
        ----------
        data : array_like, shape (n, d)
            The data A of the model. At least one of the chosen entries must differ from 0, because
            an entry 0 is not changed by any eps.
        points, features : array_like of int, optional
            The entries in these rows and columns are perturbed; all by default.
        """
        A = real_array(data, "data", (None, None))
        n, d = A.shape
        entries = _entries(n, d, points, features)
        factors = A.ravel()[entries]
        if not factors.any():
            raise ArgumentError(
                "data", "zeros only in the chosen entries", "at least one entry that is not zero"
            )
        return cls.linear((n, d), _selection(entries, factors, n * d))

    @classmethod
    def targets(cls, shape: int | tuple[int], points: ArrayLike | None = None) -> Perturbation:
        """Return y(eps) = y + eps on the chosen targets y, one eps for each.

        Parameters
        ----------
        shape : int or tuple of int
            n or (n,), the shape of the part "targets" of the model.
        points : array_like of int, optional
            The targets of these points are perturbed; all by default.
        """
        length = shape[0] if isinstance(shape, tuple | list) and len(shape) == 1 else shape
        n = whole_number(length, "shape", least=1)
        chosen = _entries(n, 1, points, None)
        return cls({"targets": _selection(chosen, np.ones(len(chosen)), n)}, {"targets": (n,)})

    @classmethod
    def flips(cls, points: ArrayLike | None = None) -> Perturbation:
        """Return y_i(eps) = y_i (1 - 2 eps_i), 0 <= eps_i <= 1; eps_i = 1 flips the label of i.

        The model must have a part "targets" whose entries are -1 or 1. The matrix T depends on
        them, so the result has no attributes until `bound_to` or a bilevel problem binds it to a
        model.

        Parameters
        ----------
        points : array_like of int, optional
            The labels of these points are perturbed; all by default.
        """
        return _Flips(points)

    @classmethod
    def edges(cls, graph: FusionGraph, edges: ArrayLike | None = None) -> Perturbation:
        """Return w_e(eps) = w_e (1 - eps_e), 0 <= eps_e <= 1; eps_e = 1 removes edge e.

        Parameters
        ----------
        graph : FusionGraph
            The graph of the model.
        edges : array_like of int, optional
            The edges that are perturbed, as indices of rows of `graph.edges`; all by default.
        """
        if not isinstance(graph, FusionGraph):
            raise ArgumentError("graph", type(graph).__name__, "a FusionGraph")
        if graph.m == 0:
            raise ArgumentError("graph", "no edges", "at least one edge")
        chosen = np.arange(graph.m) if edges is None else index_array(edges, "edges", graph.m)
        taken = _selection(chosen, np.ones(len(chosen)), graph.m)
        return cls({"weights": -taken}, {"weights": (graph.m,)}, 0.0, 1.0, graph)

    def to_frame(self) -> DataFrame:
        """Return one row for each entry of eps: what it moves, and its bounds.

        The columns are "part"; the place of the moved entry of the part, which is "point" and
        "feature" of the data, "point" of the targets, or "edge" of the weights, and is missing
        where eps moves several entries; "factor", the entry of T; the number of moved "entries";
        "lower" and "upper".
        """
        import pandas  # slow to import

        moves = pandas.concat(
            [
                pandas.DataFrame({"eps": T.col, "part": name, **self._places(name, T.row)}).assign(
                    factor=T.data
                )
                for name, T in ((name, T.tocoo()) for name, T in self.operators.items())
            ]
        )
        every = range(self.dim)
        frame = moves.drop_duplicates("eps", keep=False).set_index("eps").reindex(every)
        frame["part"] = moves.groupby("eps").part.unique().str.join(", ").reindex(every)
        frame["entries"] = moves.groupby("eps").size().reindex(every, fill_value=0)
        return frame.convert_dtypes().assign(lower=self.lower, upper=self.upper)

    def _places(self, part: str, entries: np.ndarray) -> dict[str, IntArray]:
        """Return the indices of entries of a part, by the names of its axes."""
        axes = AXES.get(part, [f"axis {k}" for k in range(len(self.shapes[part]))])
        return dict(zip(axes, np.unravel_index(entries, self.shapes[part]), strict=True))

    def in_units(self, eps_unit: float, units: Mapping[str, float]) -> Perturbation:
        """Return the same perturbation in other units of eps and of the parts.

        Parameters
        ----------
        eps_unit : float
            The new unit of eps in terms of the old one.
        units : mapping of str to float
            The new unit of each part; 1 for a part that is not named.
        """
        scaled = {name: T * (eps_unit / units.get(name, 1.0)) for name, T in self.operators.items()}
        return Perturbation(
            scaled, self.shapes, self.lower / eps_unit, self.upper / eps_unit, self.structure
        )

    def along(self, direction: ArrayLike, lower: float, upper: float) -> Perturbation:
        """Return the scalar perturbation eps = t direction, lower <= t <= upper.

        Parameters
        ----------
        direction : array_like, shape (k,)
        lower, upper : float
            The bounds of t, possibly infinite.
        """
        column = real_vector(direction, "direction", self.dim)[:, None]
        moved = {name: scipy.sparse.csr_array(T @ column) for name, T in self.operators.items()}
        return Perturbation(moved, self.shapes, lower, upper, self.structure)

    def vector(self, eps: ArrayLike) -> FloatArray:
        """Return eps as an array (k,), clipped to its bounds if it violates them by rounding only.

        Raises
        ------
        ArgumentError
            If eps has another length, is not finite, or violates its bounds by more than rounding.
        """
        given = real_vector(eps, "eps", self.dim)
        if not self._is_bounded or ((given >= self.lower) & (given <= self.upper)).all():
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
        """Return T eps for each perturbed part, in the shape of the part."""
        return {name: change.values for name, change in self.rounded_changes(eps).items()}

    def rounded_changes(self, eps: ArrayLike) -> dict[str, RoundedArray]:
        """Return `changes` with their rounding errors."""
        vector = self.vector(eps)
        return {
            name: matrix_product(T, vector, self.shapes[name]) for name, T in self.operators.items()
        }

    def bound_to(self, model: LearningModel) -> Perturbation:
        """Return the perturbation of this model, which is the same unless it depends on the model.

        Raises
        ------
        ArgumentError
            If the model lacks a perturbed part, if its shape or edges differ, or if labels to flip
            are not -1 or 1.
        """
        if not isinstance(model, LearningModel):
            raise ArgumentError("model", type(model).__name__, "a LearningModel")
        if not model.has_structure_of(self.structure):
            raise ArgumentError("perturbation", "other edges", "the edges of the model's graph")
        for name, shape in self.shapes.items():
            part = model.parts.get(name)
            if part is None:
                expected = f"parts of the model, {', '.join(map(repr, model.parts))}"
                raise ArgumentError("perturbation", f"part {name!r}", expected)
            if part.shape != shape:
                raise ArgumentError("perturbation", f"shape {shape}", f"{part.shape} as the {name}")
        return self

    def apply(self, model: Model, eps: ArrayLike) -> Model:
        """Return the perturbed model, such as that with data A(eps) and weights w(eps).

        The floating-point numbers of the given model are taken as exact, also if it is a perturbed
        model itself: errors of an earlier `apply` are not part of later proofs.

        Raises
        ------
        ArgumentError
            If the perturbation does not fit the model, or eps is not a valid argument of `vector`.
        """
        changes = self.bound_to(model).rounded_changes(eps)
        return model.perturbed(changes)


class _Flips(Perturbation):
    """Flips of labels, which become an affine perturbation with the labels of a model."""

    def __init__(self, points: ArrayLike | None) -> None:
        self._points = None if points is None else index_array(points, "points")

    def summary(self) -> dict[str, Any]:
        """Return the points whose labels can be flipped."""
        return {"targets": "labels", "points": "all" if self._points is None else self._points}

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._points,)

    def __getattr__(self, name: str) -> Any:
        reason = "label flips depend on the labels of a model; bind them by `bound_to(model)`"
        raise AttributeError(f"{name!r}: {reason}")

    def bound_to(self, model: LearningModel) -> Perturbation:
        """Return the flips of the model's own labels."""
        if not isinstance(model, LearningModel):
            raise ArgumentError("model", type(model).__name__, "a LearningModel")
        labels = model.parts.get("targets")
        if labels is None or labels.ndim != 1 or not (np.abs(labels) == 1).all():
            given = f"label flips for {type(model).__name__}"
            raise ArgumentError("perturbation", given, 'a model whose "targets" are all -1 or 1')
        n = len(labels)
        chosen = _entries(n, 1, self._points, None)
        rates = -2 * labels / model.scale("targets")
        flipped = _selection(chosen, rates[chosen], n)
        return Perturbation({"targets": flipped}, {"targets": (n,)}, 0.0, 1.0)


def _is_shape(given: Any) -> bool:
    return isinstance(given, tuple) and all(
        isinstance(n, int | np.integer) and n >= 0 for n in given
    )


def _check_shape(shape: Any, least_d: int) -> tuple[int, int]:
    if not isinstance(shape, tuple | list) or len(shape) != 2:
        raise ArgumentError("shape", shown(shape), "a pair (n, d)")
    n, d = shape
    return whole_number(n, "shape", least=1), whole_number(d, "shape", least=least_d)


def _matrix(
    value: Any, name: str, rows: int | None = None, columns: int | None = None
) -> scipy.sparse.csr_array:
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
    """Return a bound of eps as a read-only array of shape (k,)."""
    expected = f"a number, or {k}, none of them NaN"
    bound = number_array(value, name, expected)
    if bound.shape not in ((), (k,)):
        raise ArgumentError(name, f"shape {bound.shape}", expected)
    if np.isnan(bound).any():
        raise ArgumentError(name, "NaN", expected)
    return np.broadcast_to(bound, (k,))


def _entries(n: int, d: int, points: ArrayLike | None, features: ArrayLike | None) -> IntArray:
    """Return the indices, in `data.ravel()`, of the entries in the chosen rows and columns."""
    rows = np.arange(n) if points is None else index_array(points, "points", n)
    columns = np.arange(d) if features is None else index_array(features, "features", d)
    return (rows[:, None] * d + columns[None, :]).ravel()


def _selection(places: IntArray, values: FloatArray, length: int) -> scipy.sparse.csr_array:
    """Return the matrix with `values[j]` in row `places[j]` of column j: shape (length, k)."""
    k = len(places)
    matrix = scipy.sparse.csr_array((values, (places, np.arange(k))), shape=(length, k))
    matrix.eliminate_zeros()
    return matrix
