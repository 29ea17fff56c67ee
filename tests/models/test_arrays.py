"""Which arrays are accepted by the public functions that take real arrays."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.cluster import KMeans
from sklearn.linear_model import LinearRegression

from bilad.models import (
    ArgumentError,
    BlackBox,
    ConvexClustering,
    FusionGraph,
    MaxDeviation,
    Perturbation,
    attack_is_possible,
    between_clusters,
    chosen_pairs,
    deviation,
    recovery_interval,
)
from bilad.solvers import (
    ConvexClusterer,
    attack,
    cluster,
    cluster_path,
    exact_recovery_interval,
    find_violation,
    is_recovered,
)
from bilad.solvers.clustering.derivative import SolutionDerivative

A = np.array([[0.0, 1.0], [2.0, 3.0], [5.0, 5.0], [6.0, 5.5]])
GRAPH = FusionGraph.complete(4)
MODEL = ConvexClustering(A, GRAPH, 0.1)
MOVE = Perturbation.additive((4, 2), points=[0])  # k = 2
PROBLEM = MaxDeviation(MODEL, MOVE, 1)
PAIRS, WEIGHTS = [[0, 1], [1, 2]], [1.0, 1.0]
LABELS = [0, 0, 1, 1]
T = np.eye(8)[:, :2]
W = np.ones((4, 4)) - np.eye(4)


def masked(array):
    return np.ma.masked_array(array, mask=np.arange(np.size(array)).reshape(np.shape(array)) == 1)


def ragged(array):
    return [*np.asarray(array).tolist()[:-1], [[0]]]


TARGETS = [1.0, 2.0, 3.0, 4.0]
REGRESSION = BlackBox(A, LinearRegression(), targets=TARGETS)

BAD = {
    "complex": lambda array: np.asarray(array) + 0j,
    "masked": masked,
    "a list of masked": lambda array: list(masked(array)) if np.ndim(array) > 1 else masked(array),
    "dates": lambda array: np.asarray(array).astype("int64").astype("datetime64[D]"),
    "durations": lambda array: np.asarray(array).astype("int64").astype("timedelta64[s]"),
    "text": lambda array: np.asarray(array).astype(str),
    "bytes": lambda array: np.asarray(array).astype(bytes),
    "Booleans": lambda array: np.asarray(array).astype(bool),
    "objects": lambda array: np.full(np.shape(array), None),
    "Boolean objects": lambda array: np.asarray(array).astype(bool).astype(object),
    "records": lambda array: np.zeros(np.shape(array), dtype=[("x", float)]),
    "ragged": ragged,
    "None": lambda array: None,
    "a word": lambda array: "x",
    "a dictionary": lambda array: {0: array},
    "a set": lambda array: {1, 2},
}
NOT_FINITE = {
    "NaN": lambda array: np.full(np.shape(array), np.nan),
    "inf": lambda array: np.full(np.shape(array), np.inf),
    "too wide": lambda array: np.full(np.shape(array), np.longdouble("1e4000")),
    "too long": lambda array: np.full(np.shape(array), 10**400, dtype=object),
}

# name of the argument, a good value, a call
REALS = [
    ("data", A, lambda v: ConvexClustering(v, GRAPH, 0.1)),
    ("data", A, lambda v: MODEL.replace(data=v)),
    (
        "weights",
        WEIGHTS,
        lambda v: ConvexClustering(A, FusionGraph(4, PAIRS, WEIGHTS), 0.1).replace(weights=v),
    ),
    ("data", A, lambda v: BlackBox(v, KMeans(2))),
    ("data", A, lambda v: BlackBox(A, KMeans(2)).replace(data=v)),
    ("targets", TARGETS, lambda v: REGRESSION.replace(targets=v)),
    ("data", A, Perturbation.multiplicative),
    ("direction", A, Perturbation.shift),
    ("A", A, lambda v: FusionGraph.knn(v, 2)),
    ("weights", WEIGHTS, lambda v: FusionGraph(4, PAIRS, v)),
    ("weights", WEIGHTS, FusionGraph(4, PAIRS, WEIGHTS).with_weights),
    ("operator", T, lambda v: Perturbation.linear((4, 2), v)),
    ("edge_operator", np.eye(6), lambda v: Perturbation.linear((4, 2), None, GRAPH, v)),
    ("eps", [0.1, 0.2], lambda v: MOVE.apply(MODEL, v)),
    ("eps", [0.1, 0.2], MOVE.changes),
    ("eps", [0.1, 0.2], PROBLEM.project),
    ("eps", [0.1, 0.2], lambda v: attack_is_possible(MODEL, LABELS, MOVE, v)),
    ("direction", [1.0, 0.0], PROBLEM.largest_step),
    ("direction", [1.0, 0.0], PROBLEM.along),
    ("gammas", [0.1, 0.2], lambda v: cluster_path(MODEL, v)),
    ("rays", [[1.0, 0.0], [0.0, 1.0]], lambda v: find_violation(PROBLEM, rays=v, max_solves=1)),
    ("dA", A, SolutionDerivative(cluster(MODEL)).times),
    ("start", [0.1, 0.2], lambda v: attack(PROBLEM, "kkt", start=v, max_solves=0)),
]
BOUNDS = [
    ("lower", [-1.0, -1.0], lambda v: Perturbation.linear((4, 2), T, lower=v)),
    ("upper", [1.0, 1.0], lambda v: Perturbation.linear((4, 2), T, upper=v)),
    ("weights", W, lambda v: ConvexClusterer(weights=v).fit(A)),
]
INTEGERS = [
    ("edges", PAIRS, lambda v: FusionGraph(4, v, WEIGHTS)),
    ("points", [0, 1], GRAPH.without),
    ("points", [0, 1], FusionGraph(4, PAIRS, WEIGHTS).without),
    ("points", [0, 1], MODEL.without),
    ("points", [0, 1], lambda v: Perturbation.additive((4, 2), points=v)),
    ("features", [0, 1], lambda v: Perturbation.multiplicative(A, features=v)),
    ("edges", [0, 1], lambda v: Perturbation.edges(GRAPH, v)),
    ("pairs", PAIRS, chosen_pairs),
    ("points", [0, 1], lambda v: between_clusters(v, [2])),
    ("others", [0, 1], lambda v: between_clusters([2], v)),
    ("labels", LABELS, lambda v: deviation(v, LABELS)),
    ("perturbed_labels", LABELS, lambda v: deviation(LABELS, v)),
    ("labels", LABELS, lambda v: recovery_interval(MODEL, v)),
    ("labels", LABELS, lambda v: is_recovered(MODEL, v)),
    ("labels", LABELS, lambda v: exact_recovery_interval(MODEL, v)),
]
OPTIONAL = {"start", "gammas", "points", "features", "edges"}  # None says: the default


def named(rows):
    return [pytest.param(*row, id=f"{row[0]} {place}") for place, row in enumerate(rows)]


def refuses(argument, call, value):
    with pytest.raises(ArgumentError, match=rf"^{argument}: got .*, expected ") as caught:
        call(value)
    assert caught.value.argument == argument
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(("argument", "good", "call"), named([*REALS, *BOUNDS, *INTEGERS]))
def test_what_is_no_array_of_numbers(argument, good, call):
    for kind, spoilt in BAD.items():
        if kind != "None" or argument not in OPTIONAL:
            refuses(argument, call, spoilt(good))


@pytest.mark.parametrize(("argument", "good", "call"), named(REALS))
def test_what_is_not_finite(argument, good, call):
    for spoilt in NOT_FINITE.values():
        refuses(argument, call, spoilt(good))


@pytest.mark.parametrize(("argument", "good", "call"), named(INTEGERS))
def test_integers_are_not_rounded(argument, good, call):
    refuses(argument, call, np.asarray(good) + 0.5)
    call(np.asarray(good, dtype=np.uint8))
    call(np.ma.masked_array(good))


@pytest.mark.parametrize("unlimited", [None, float("inf"), np.inf, np.float32("inf")])
def test_no_time_limit(unlimited):
    assert cluster(MODEL, time_limit=unlimited).status == "optimal"


@pytest.mark.parametrize(
    "value",
    [
        A.astype(np.float32),
        A.tolist(),
        np.ma.masked_array(A),
        np.array([[Fraction(float(entry)) for entry in row] for row in A]),
        pd.DataFrame(A),
        pd.DataFrame(A, columns=["a", "a"]).convert_dtypes(),
    ],
    ids=["float32", "list", "nothing masked", "fractions", "frame", "nullable frame"],
)
def test_real_arrays_of_other_forms(value):
    assert np.array_equal(ConvexClustering(value, GRAPH, 0.1).data, A)
    assert np.array_equal(FusionGraph.knn(value, 2).edges, FusionGraph.knn(A, 2).edges)


def test_frames_that_are_not_real():
    for column in ([True, False] * 2, [None, 1, 2, 3], list("1234"), pd.to_datetime(["2020"] * 4)):
        refuses("data", lambda v: MODEL.replace(data=v), pd.DataFrame({"a": A[:, 0], "b": column}))


@pytest.mark.parametrize("form", [sp.csr_array, sp.csc_array, sp.coo_array, sp.csr_matrix])
def test_sparse_operators(form):
    assert np.array_equal(Perturbation.linear((4, 2), form(T)).operators["data"].toarray(), T)
    for bad in (T + 0j, T.astype(bool), np.where(T, np.nan, 0), np.where(T, np.inf, 0)):
        refuses("operator", lambda v: Perturbation.linear((4, 2), v), form(bad))
    for bad in (W + 0j, W.astype(bool)):
        refuses("weights", lambda v: ConvexClusterer(weights=v).fit(A), form(bad))


def test_an_operator_is_copied():
    given = sp.csr_array(T)
    perturbation = Perturbation.linear((4, 2), given)
    given.data[:] = 7
    assert np.array_equal(perturbation.operators["data"].toarray(), T)


@pytest.mark.parametrize("kind", ["complex", "masked", "dates", "text", "Booleans"])
def test_the_estimator_takes_no_other_data(kind):
    with pytest.raises(ValueError, match="Complex|^X: got"):
        ConvexClusterer(weights="complete").fit(BAD[kind](A))
