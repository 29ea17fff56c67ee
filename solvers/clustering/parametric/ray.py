"""A model along a ray as one-dimensional problems in integers, without any rounding.

    A(eps) = A + eps V,    capacities r_e(eps) = gamma w_e (1 - s_e eps),

where the floating-point numbers A, V, gamma, w, s and their products are taken as dyadic rationals
(gamma = 0.1 is the double nearest to 1/10). All numbers are scaled to integers by one power of two.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.learning.separable import line_signs
from bilad.models.perturbation import Perturbation
from bilad.models.rounding import fractions
from bilad.models.validation import ArgumentError, FloatArray, real_number
from bilad.solvers.clustering.parametric.affine import Affine, over_common_denominator
from bilad.solvers.clustering.parametric.complete_graph import CompleteNetwork
from bilad.solvers.clustering.parametric.critical_regions import LineProblem, Network
from bilad.solvers.clustering.parametric.general_graph import GraphNetwork
from bilad.solvers.errors import UnsupportedError

METHOD = "parametric path"


def refusal(model: ConvexClustering, perturbation: Perturbation) -> str | None:
    """Return why there is no exact parametric path, or None."""
    if perturbation.dim != 1:
        return f"it is for one parameter, eps has {perturbation.dim}"
    return no_lines(model)


def no_lines(model: ConvexClustering) -> str | None:
    """Return why the model does not separate into lines, or None."""
    if line_signs(model) is None:
        lines = "p = 1, d = 1, or p = inf with d = 2"
        return f"it is for {lines}, the data have d = {model.d} and p = {model.p:g}"
    return None


def check_ray(
    model: ConvexClustering, perturbation: Perturbation, low: float, high: float
) -> tuple[float, float]:
    """Check the arguments, and return the ends as numbers.

    Raises
    ------
    ArgumentError
        If the perturbation does not fit the model, does not have one parameter, or has bounds that
        exclude an end.
    """
    if not isinstance(model, ConvexClustering):
        raise ArgumentError("model", type(model).__name__, "a ConvexClustering")
    if not isinstance(perturbation, Perturbation):
        raise ArgumentError("perturbation", type(perturbation).__name__, "a Perturbation")
    perturbation.bound_to(model)
    if perturbation.dim != 1:
        raise ArgumentError("perturbation", f"{perturbation.dim} parameters", "one")
    low, high = real_number(low, "low"), real_number(high, "high")
    if low >= high:
        raise ArgumentError("high", high, f"a number > low = {low:g}")
    if low < perturbation.lower[0]:
        raise ArgumentError("low", low, f"at least {perturbation.lower[0]:g}, its least eps")
    if high > perturbation.upper[0]:
        raise ArgumentError("high", high, f"at most {perturbation.upper[0]:g}, its largest eps")
    return low, high


def lines_along(
    model: ConvexClustering, perturbation: Perturbation, low: float, high: float
) -> list[LineProblem]:
    """Return the one-dimensional problems into which the model separates.

    Raises
    ------
    UnsupportedError
        If the model does not separate.
    ArgumentError
        If a weight is negative at an end of the interval.
    """
    reason = refusal(model, perturbation)
    if reason is not None:
        raise UnsupportedError(METHOD, reason, ["bracket_breakpoints"])
    decay = _decay(model, perturbation)
    weights, slopes = _weights(model, decay, low, high)
    gamma = Fraction(model.gamma)
    data, direction = _exact_columns(model.data), _exact_columns(_direction(model, perturbation))
    capacities = [gamma * w for w in weights], [gamma * slope for slope in slopes]
    return _lines(model, data, direction, capacities, uniform=decay is None)


def lines_at(
    model: ConvexClustering, columns: list[list[Fraction]], weights: list[Fraction]
) -> list[LineProblem]:
    """Return the lines of the model with other data and weights, which do not move with eps.

    Raises
    ------
    UnsupportedError
        If the model does not separate.
    """
    reason = no_lines(model)
    if reason is not None:
        raise UnsupportedError(METHOD, reason, [])
    still = [[Fraction(0)] * model.n] * model.d
    capacities = [Fraction(model.gamma) * w for w in weights]
    fixed = capacities, [Fraction(0)] * len(capacities)
    return _lines(model, columns, still, fixed, uniform=model.uniform_weight is not None)


def _lines(
    model: ConvexClustering,
    data: list[list[Fraction]],
    direction: list[list[Fraction]],
    capacities: tuple[list[Fraction], list[Fraction]],
    uniform: bool,
) -> list[LineProblem]:
    signs = line_signs(model)
    assert signs is not None
    columns = [(signed_sum(data, row), signed_sum(direction, row)) for row in signs.tolist()]
    everything = [*columns, capacities]
    unit = max(number.denominator for pair in everything for part in pair for number in part)
    *moving, edges = (
        list(zip(*(over_common_denominator(part, unit) for part in pair), strict=True))
        for pair in everything
    )
    network = _network(model, edges, uniform)
    return [LineProblem(datum, network) for datum in moving]


def signed_sum(columns: list[list[Fraction]], signs: list[int]) -> list[Fraction]:
    """Return the sum of columns with signs -1, 0 or 1, exactly."""
    chosen = [(sign, column) for sign, column in zip(signs, columns, strict=True) if sign]
    return [
        sum((sign * column[i] for sign, column in chosen), Fraction(0))
        for i in range(len(columns[0]))
    ]


def _exact_columns(matrix: FloatArray) -> list[list[Fraction]]:
    return [fractions(column) for column in matrix.T]


def _direction(model: ConvexClustering, perturbation: Perturbation) -> FloatArray:
    """Return V: shape (n, d)."""
    if "data" not in perturbation.operators:
        return np.zeros(model.data.shape)
    return perturbation.operators["data"].toarray().reshape(model.data.shape)


def _decay(model: ConvexClustering, perturbation: Perturbation) -> FloatArray | None:
    """Return s, shape (m,), or None if it is zero."""
    if "weights" not in perturbation.operators or perturbation.operators["weights"].nnz == 0:
        return None
    return np.asarray(-perturbation.operators["weights"].toarray()).ravel()


def _weights(
    model: ConvexClustering, decay: FloatArray | None, low: float, high: float
) -> tuple[list[Fraction], list[Fraction]]:
    """Return the weights and their slopes; one of each if all edges have the same weight."""
    if decay is None:
        uniform = model.graph.uniform_weight
        weights = fractions(model.graph.weights if uniform is None else [uniform])
        return weights, [Fraction(0)] * len(weights)
    weights = fractions(model.graph.weights)
    slopes = [-w * s for w, s in zip(weights, fractions(decay), strict=True)]
    for name, eps in (("low", low), ("high", high)):
        exact = Fraction(eps)
        if any(w + exact * slope < 0 for w, slope in zip(weights, slopes, strict=True)):
            raise ArgumentError(name, eps, "an eps at which no weight is negative")
    return weights, slopes


def _network(model: ConvexClustering, edges: list[Affine], uniform: bool) -> Network:
    if uniform and model.graph.uniform_weight is not None:
        capacity = edges[0]
        return (
            CompleteNetwork(model.n, capacity) if any(capacity) else GraphNetwork(model.n, [], [])
        )
    return GraphNetwork(model.n, model.graph.edges.tolist(), edges)
