"""Functions that are sums of few templates, each differentiated once.

The terms of a model fall into few groups that differ only in variables and constants. The
derivatives of a group are those of one term, evaluated for all of its terms by one call (Shin,
Anitescu and Pacaud, Accelerating optimal power flow with GPUs, 2024, use the same structure).
"""

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import casadi as ca
import numpy as np
from scipy.sparse import csr_array

from bilad.models.validation import FloatArray, IntArray
from bilad.solvers.nlp.nl_terms import ARITY, Row, Term

FEW = 8  # terms: a group of fewer is written out, and evaluated with the other small groups

OPERATORS: dict[str, Callable[..., Any]] = {
    "o0": operator.add,
    "o2": operator.mul,
    "o3": operator.truediv,
    "o5": operator.pow,
    "o13": ca.floor,
    "o14": ca.ceil,
    "o15": ca.fabs,
    "o16": operator.neg,
    "o21": ca.logic_and,
    "o22": operator.lt,
    "o23": operator.le,
    "o24": operator.eq,
    "o35": ca.if_else,
    "o37": ca.tanh,
    "o38": ca.tan,
    "o39": ca.sqrt,
    "o40": ca.sinh,
    "o41": ca.sin,
    "o42": ca.log10,
    "o43": ca.log,
    "o44": ca.exp,
    "o45": ca.cosh,
    "o46": ca.cos,
    "o47": ca.atanh,
    "o49": ca.atan,
    "o50": ca.asinh,
    "o51": ca.asin,
    "o52": ca.acosh,
    "o53": ca.acos,
    "o54": lambda *parts: sum(parts),
}


class Scatter:
    """Sums of contributions to the entries of a sparse matrix, in column-major order.

    Parameters
    ----------
    shape : (int, int)
    rows, columns : ndarray of int, shape (c,)
        The entry of each contribution.

    Attributes
    ----------
    sparsity : casadi.Sparsity
    slots : ndarray of int, shape (c,)
        The place of each contribution among the entries.
    """

    def __init__(self, shape: tuple[int, int], rows: IntArray, columns: IntArray) -> None:
        keys = columns.astype(np.int64) * shape[0] + rows
        entries, slots = np.unique(keys, return_inverse=True)
        self.slots, self.size = slots.ravel(), len(entries)
        at = entries % shape[0], entries // shape[0]
        self.sparsity = ca.Sparsity.triplet(*shape, at[0].tolist(), at[1].tolist())

    def __call__(self, contributions: FloatArray) -> FloatArray:
        """Return the entries, given all contributions."""
        return np.bincount(self.slots, contributions, self.size).astype(np.float64)


class Group:
    """Terms of one form, or one copy of several forms.

    Parameters
    ----------
    functions : list of casadi.SX
        The terms: K functions of disjoint parts of `x` and `p`.
    x, p : list of casadi.SX
        The variables and the constants of each function.
    variables, constants : ndarray, shape (N, number of x), (N, number of p)
        Those of each of the N copies.
    rows, factors : ndarray, shape (N, K)
        Each function is added to a row, after multiplication by its factor.
    """

    def __init__(
        self,
        functions: list[Any],
        x: list[Any],
        p: list[Any],
        variables: IntArray,
        constants: FloatArray,
        rows: IntArray,
        factors: FloatArray,
    ) -> None:
        self.variables, self.rows, self.factors = variables, rows, factors
        slopes, curvatures = [], []
        first = 0  # among x
        at: dict[str, list[int]] = {"slope": [], "left": [], "right": [], "of": [], "slope of": []}
        for k, (function, own) in enumerate(zip(functions, x, strict=True)):
            hessian, gradient = ca.hessian(function, own)
            upper: Any = ca.triu(hessian)
            slopes.append(ca.densify(gradient))
            curvatures.append(_entries(upper))
            left, right = upper.sparsity().get_triplet()
            at["slope"] += range(first, first + own.numel())
            at["slope of"] += [k] * own.numel()
            at["left"] += [first + i for i in left]
            at["right"] += [first + j for j in right]
            at["of"] += [k] * len(left)
            first += own.numel()
        places = {key: np.array(value, dtype=int) for key, value in at.items()}
        self.slope_of, self.curvature_of = places["slope of"], places["of"]
        self.slope_rows = rows[:, self.slope_of].ravel()
        self.slope_columns = variables[:, places["slope"]].ravel()
        ends = np.stack([variables[:, places["left"]], variables[:, places["right"]]])
        self.hessian_rows, self.hessian_columns = ends.min(axis=0).ravel(), ends.max(axis=0).ravel()
        inputs = [ca.vertcat(*x), ca.vertcat(*p)]
        self._x, constants = np.empty(variables.shape), np.ascontiguousarray(constants)
        outputs = {"f": functions, "g": slopes, "h": curvatures}
        self._mapped = {
            name: _Mapped(ca.Function(name, inputs, [ca.vertcat(*parts)]), self._x, constants)
            for name, parts in outputs.items()
        }

    def values(self, x: FloatArray) -> FloatArray:
        """Return the terms, times their factors: shape (N K,)."""
        return (self._at("f", x) * self.factors).ravel()

    def slopes(self, x: FloatArray) -> FloatArray:
        """Return the entries of the gradients of the terms, times their factors."""
        return (self._at("g", x) * self.factors[:, self.slope_of]).ravel()

    def curvatures(self, x: FloatArray, multipliers: FloatArray) -> FloatArray:
        """Return the entries of the Hessians of the terms, times factors and multipliers of rows.

        Both triangles of a Hessian are represented by one entry.
        """
        weights = self.factors * multipliers[self.rows]
        return (self._at("h", x) * weights[:, self.curvature_of]).ravel()

    def _at(self, name: str, x: FloatArray) -> FloatArray:
        np.take(x, self.variables, out=self._x)
        return self._mapped[name]()


class _Mapped:
    """A function that is evaluated for all columns of its inputs, in memory that is kept."""

    def __init__(self, function: Any, *inputs: FloatArray) -> None:
        count = len(inputs[0])
        self._result = np.zeros((count, function.numel_out()))
        self._kept = (function.map(count), inputs)
        buffer, self._run = self._kept[0].buffer()
        for i, given in enumerate(inputs):
            buffer.set_arg(i, given.data)
        buffer.set_res(0, self._result.data)
        self._buffer = buffer

    def __call__(self) -> FloatArray:
        if self._result.size:
            self._run()
        return self._result


class _Memo:
    """A function that keeps its last value: IPOPT asks for f and g, and their slopes, in turn."""

    def __init__(self, function: Callable[[FloatArray], FloatArray]) -> None:
        self._function, self._x, self._value = function, np.zeros(0), np.zeros(0)

    def __call__(self, x: FloatArray) -> FloatArray:
        if not np.array_equal(x, self._x) or not len(x):
            self._value, self._x = self._function(x), x.copy()
        return self._value


class TemplateNlp:
    """The functions of an NLP with their first and second derivatives.

    Parameters
    ----------
    n : int
        Number of variables.
    rows : list of Row
        The m constraints g, then the objective f.

    Attributes
    ----------
    jacobian_of : Scatter
        The pattern of the derivative of g, shape (m, n).
    values : callable(x)
        Returns g(x) and f(x) in one array, shape (m + 1,).
    hessian_of : Scatter
        That of the upper triangle of the Hessian of the Lagrangian, shape (n, n).
    """

    def __init__(self, n: int, rows: list[Row]) -> None:
        self.n, self.m = n, len(rows) - 1
        self._constant = np.array([row.constant for row in rows])
        self._linear = _linear(n, rows)
        self._groups = _groups(rows)
        groups, linear = self._groups, self._linear.tocoo()
        self._rows = _joined([group.rows.ravel() for group in groups])
        slope_rows = _joined([linear.row, *(group.slope_rows for group in groups)])
        slope_columns = _joined([linear.col, *(group.slope_columns for group in groups)])
        self._linear_slopes = linear.data
        # The contributions to f come last among rows, and not at all in the pattern of g.
        self._of_objective = slope_rows == self.m
        self._objective_columns = slope_columns[self._of_objective]
        self._of_constraints = ~self._of_objective
        at = slope_rows[self._of_constraints], slope_columns[self._of_constraints]
        self.jacobian_of = Scatter((self.m, n), *at)
        self.hessian_of = Scatter(
            (n, n),
            _joined([group.hessian_rows for group in groups]),
            _joined([group.hessian_columns for group in groups]),
        )

        self.values, self._slopes = _Memo(self._values_at), _Memo(self._slopes_at)

    def _values_at(self, x: FloatArray) -> FloatArray:
        terms = _joined([group.values(x) for group in self._groups])
        total = np.bincount(self._rows, terms, self.m + 1)
        return np.asarray(self._constant + self._linear @ x + total)

    def _slopes_at(self, x: FloatArray) -> FloatArray:
        return _joined([self._linear_slopes, *(group.slopes(x) for group in self._groups)])

    def gradient(self, x: FloatArray) -> FloatArray:
        """Return the gradient of f, shape (n,)."""
        slopes = self._slopes(x)[self._of_objective]
        return np.bincount(self._objective_columns, slopes, self.n).astype(np.float64)

    def jacobian(self, x: FloatArray) -> FloatArray:
        """Return the entries of the derivative of g."""
        return self.jacobian_of(self._slopes(x)[self._of_constraints])

    def hessian(self, x: FloatArray, factor: float, multipliers: FloatArray) -> FloatArray:
        """Return the upper triangle's entries of factor D^2 f + sum_i multipliers_i D^2 g_i."""
        weights = np.append(multipliers, factor)
        return self.hessian_of(_joined([g.curvatures(x, weights) for g in self._groups]))


def _joined(parts: Sequence[Any]) -> Any:
    return np.concatenate(parts) if parts else np.zeros(0, dtype=int)


def _linear(n: int, rows: list[Row]) -> Any:
    counts = [len(row.linear) for row in rows]
    columns = np.fromiter(chain.from_iterable(row.linear for row in rows), dtype=int)
    data = np.fromiter(chain.from_iterable(row.linear.values() for row in rows), dtype=float)
    starts = np.concatenate([[0], np.cumsum(counts)])
    return csr_array((data, columns, starts), shape=(len(rows), n))


def _groups(rows: list[Row]) -> list[Group]:
    forms: dict[Any, list[tuple[int, Term]]] = defaultdict(list)
    for i, row in enumerate(rows):
        for term in row.terms:
            forms[term.form].append((i, term))
    groups, few = [], []
    for placed in forms.values():
        if len(placed) < FEW:
            few += placed
            continue
        first = placed[0][1]
        x, p = _symbols(first)
        groups.append(
            Group(
                [_function(first, x, p)],
                [x],
                [p],
                np.array([term.variables for _, term in placed], dtype=int),
                np.array([term.constants for _, term in placed], dtype=float),
                np.array([[i] for i, _ in placed]),
                np.array([[term.coefficient] for _, term in placed]),
            )
        )
    return groups + ([_written_out(few)] if few else [])


def _written_out(placed: list[tuple[int, Term]]) -> Group:
    symbols = [_symbols(term) for _, term in placed]
    terms = [term for _, term in placed]
    return Group(
        [_function(term, x, p) for term, (x, p) in zip(terms, symbols, strict=True)],
        [x for x, _ in symbols],
        [p for _, p in symbols],
        np.array([list(chain.from_iterable(term.variables for term in terms))], dtype=int),
        np.array([list(chain.from_iterable(term.constants for term in terms))], dtype=float),
        np.array([[i for i, _ in placed]]),
        np.array([[term.coefficient for term in terms]]),
    )


def _symbols(term: Term) -> tuple[Any, Any]:
    return ca.SX.sym("x", len(term.variables)), ca.SX.sym("p", len(term.constants))


def _function(term: Term, x: Any, p: Any) -> Any:
    """Return the expression of a term in its variables and constants."""
    defined: list[Any] = []
    for part in term.form:
        # The operands of an operator follow it; hence an expression is evaluated from its end.
        stack: list[Any] = []
        for token in reversed(part):
            if token[0] in "vncd":
                stack.append(_leaf(token, x, p, defined))
            elif token in ARITY:
                arity = stack.pop() if ARITY[token] is None else ARITY[token]
                operands = [stack.pop() for _ in range(arity)]
                stack.append(OPERATORS[token](*operands))
            else:
                stack.append(int(token))
        defined.append(stack.pop())
    return ca.SX(defined[-1])


def _leaf(token: str, x: Any, p: Any, defined: list[Any]) -> Any:
    if token[0] == "c":
        return float(token[1:])
    return {"v": x, "n": p, "d": defined}[token[0]][int(token[1:])]


def _entries(matrix: Any) -> Any:
    """Return the structural nonzeros of a sparse matrix as a vector."""
    return matrix.nz[:] if matrix.nnz() else ca.SX(0, 1)
