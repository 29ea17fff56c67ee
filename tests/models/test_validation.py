"""Invalid arguments: the message contains the argument, the given and the expected value."""

import numpy as np
import pytest

from bilad.models import (
    ArgumentError,
    ConvexClustering,
    FusionGraph,
    MaxDeviation,
    MinPerturbation,
    Perturbation,
    Ridge,
    between_clusters,
    chosen_pairs,
    deviation,
    load_dataset,
)

A = np.array([[0.0, 1.0], [2.0, 3.0], [5.0, 5.0]])
GRAPH = FusionGraph.complete(3)
MODEL = ConvexClustering(A, GRAPH, 0.1)
MOVE = Perturbation.additive((3, 2))
PROBLEM = MaxDeviation(MODEL, MOVE, 1)
SMALL = Perturbation.additive((2, 2))
CUT = Perturbation.edges(GRAPH)
HALVES = Perturbation.linear(A.shape, None, GRAPH, np.eye(3), 0.0, 0.5)
LABELLED = Ridge(A, [1.0, -1.0, 1.0])
RELAXED = LABELLED.replace(targets=[1.0, -1.0, 0.5])
PATH_CUT = Perturbation.edges(FusionGraph(3, [[0, 1], [1, 2]], [1.0, 1.0]))
FAR, WIDE, NEAR = (
    chosen_pairs([[0, 3]]),
    between_clusters([0], [1, 3]),
    between_clusters([0], [1, 2]),
)
NAN, INF = float("nan"), float("inf")


def having(value):
    """A with its entry (1, 0) replaced."""
    changed = A.copy()
    changed[1, 0] = value
    return changed


# argument, call, what came, what is expected
TABLE = [
    # fusion graphs
    ("n", lambda: FusionGraph.complete(1), "1", "whole number >= 2"),
    ("n", lambda: FusionGraph.complete(2.5), "2.5", "whole number >= 2"),
    ("n", lambda: FusionGraph.complete(True), "True", "whole number >= 2"),
    ("n", lambda: FusionGraph("3", [], []), "'3'", "whole number >= 2"),
    ("weight", lambda: FusionGraph.complete(3, -1), "-1.0", "finite number >= 0"),
    ("weight", lambda: FusionGraph.complete(3, NAN), "nan", "finite number >= 0"),
    ("weight", lambda: FusionGraph.complete(3, "x"), "'x'", "finite number >= 0"),
    ("edges", lambda: FusionGraph(3, [[0, 3]], [1]), r"row \[0, 3\]", "i < j.*j < 3"),
    ("edges", lambda: FusionGraph(3, [[-1, 2]], [1]), r"row \[-1, 2\]", "0 <= i"),
    ("edges", lambda: FusionGraph(3, [[0, 1], [1, 1]], [1, 1]), r"row \[1, 1\]", "i < j"),
    ("edges", lambda: FusionGraph(3, [[2, 1]], [1]), r"row \[2, 1\]", "i < j"),
    ("edges", lambda: FusionGraph(3, [[0, 1], [1, 2], [0, 1]], [1, 1, 1]), "twice", "none twice"),
    ("edges", lambda: FusionGraph(3, [[0, 1, 2]], [1]), r"shape \(1, 3\)", r"shape \(m, 2\)"),
    ("edges", lambda: FusionGraph(3, [[0.0, 1.0]], [1]), "float64", r"shape \(m, 2\)"),
    ("weights", lambda: FusionGraph(3, [[0, 1]], [1, 2]), r"shape \(2,\)", "shape 1"),
    ("weights", lambda: FusionGraph(3, [[0, 1]], [-0.5]), "-0.5", "nonnegative"),
    ("weights", lambda: FusionGraph(3, [[0, 1]], [INF]), "inf", "finite"),
    ("k", lambda: FusionGraph.knn(A, k=3), "3", "fewer neighbours than points"),
    ("k", lambda: FusionGraph.knn(A, k=0), "0", "whole number >= 1"),
    ("phi", lambda: FusionGraph.knn(A, k=1, phi=-1), "-1.0", "finite number >= 0"),
    ("A", lambda: FusionGraph.knn(having(NAN), k=1), r"nan at index \(1, 0\)", "finite real array"),
    ("A", lambda: FusionGraph.knn([1.0, 2.0], k=1), r"shape \(2,\)", "any x any"),
    # the learning model
    ("data", lambda: ConvexClustering(having(NAN), GRAPH, 1), r"nan at index \(1, 0\)", "finite"),
    ("data", lambda: ConvexClustering(having(-INF), GRAPH, 1), r"-inf at index \(1, 0\)", "finite"),
    ("data", lambda: ConvexClustering(A[:, 0], GRAPH, 1), r"shape \(3,\)", "any x any"),
    ("data", lambda: ConvexClustering(A[:1], GRAPH, 1), r"shape \(1, 2\)", "n >= 2 rows"),
    ("data", lambda: ConvexClustering(A[:, :0], GRAPH, 1), r"shape \(3, 0\)", "d >= 1 columns"),
    ("data", lambda: ConvexClustering([["a", "b"]] * 3, GRAPH, 1), "text", "finite real array"),
    ("data", lambda: ConvexClustering([[1], [2, 3]], GRAPH, 1), "lengths", "finite real array"),
    ("data", lambda: ConvexClustering(None, GRAPH, 1), "None", "finite real array"),
    ("graph", lambda: ConvexClustering(A, FusionGraph.complete(4), 1), "n = 4", "n = 3"),
    ("graph", lambda: ConvexClustering(A, [[0, 1]], 1), "list", "a FusionGraph"),
    ("gamma", lambda: ConvexClustering(A, GRAPH, -0.1), "-0.1", "finite number >= 0"),
    ("gamma", lambda: ConvexClustering(A, GRAPH, INF), "inf", "finite number >= 0"),
    ("gamma", lambda: ConvexClustering(A, GRAPH, None), "None", "finite number >= 0"),
    ("p", lambda: ConvexClustering(A, GRAPH, 1, p=3), "3", "one of 1, 2, inf"),
    ("p", lambda: ConvexClustering(A, GRAPH, 1, p=NAN), "nan", "one of 1, 2, inf"),
    ("p", lambda: ConvexClustering(A, GRAPH, 1, p="2"), "'2'", "one of 1, 2, inf"),
    ("p", lambda: ConvexClustering(A, GRAPH, 1, p=[2]), r"\[2\]", "one of 1, 2, inf"),
    ("data", lambda: MODEL.replace(data=A[:, :1]), r"shape \(3, 1\)", "3 x 2"),
    # perturbations
    ("direction", lambda: Perturbation.shift(np.zeros((3, 2))), "zeros only", "not zero"),
    ("direction", lambda: Perturbation.shift(having(NAN)), "nan at index", "finite"),
    ("direction", lambda: Perturbation.shift([1.0, 2.0]), r"shape \(2,\)", "any x any"),
    ("shape", lambda: Perturbation.additive((3, 0)), "0", "whole number >= 1"),
    ("shape", lambda: Perturbation.additive((3,)), r"\(3,\)", r"\(n, d\)"),
    ("shape", lambda: Perturbation.additive(3), "3", r"\(n, d\)"),
    ("points", lambda: Perturbation.additive((3, 2), points=[3]), "3", "integers from 0 to 2"),
    ("points", lambda: Perturbation.additive((3, 2), points=[0, 0]), "0 twice", "distinct"),
    ("points", lambda: Perturbation.additive((3, 2), points=[]), r"shape \(0,\)", "distinct"),
    ("points", lambda: Perturbation.additive((3, 2), points=[True, False]), "Booleans", "integers"),
    ("features", lambda: Perturbation.additive((3, 2), features=[-1]), "-1", "from 0 to 1"),
    ("features", lambda: Perturbation.additive((3, 2), features=[0.5]), "float64", "integers"),
    ("eps", lambda: MOVE.changes([1.0]), r"shape \(1,\)", "shape 6"),
    ("eps", lambda: MOVE.changes([NAN] * 6), "nan", "finite"),
    ("perturbation", lambda: SMALL.apply(MODEL, [0] * 4), r"\(2, 2\)", r"\(3, 2\) as the data"),
    ("eps", lambda: MOVE.changes([[1.0], [1.0, 2.0]]), "different lengths", "shape 6"),
    ("points", lambda: Perturbation.additive((2, 2), [[0], [0, 1]]), "different", "integers"),
    ("labels", lambda: deviation([[0], [0, 1]], [0, 1]), "different", "integers"),
    ("gamma", lambda: ConvexClustering(A, GRAPH, 10**400), "beyond double", "finite"),
    ("data", lambda: ConvexClustering([[10**400]], GRAPH, 1.0), "beyond double", "finite"),
    ("data", lambda: Perturbation.multiplicative(0 * A), "zeros only", "not zero"),
    ("data", lambda: Perturbation.multiplicative(A, points=[0], features=[0]), "zeros", "not zero"),
    ("data", lambda: Perturbation.multiplicative(having(NAN)), "nan at index", "finite"),
    ("points", lambda: Perturbation.multiplicative(A, points=[3]), "3", "integers from 0 to 2"),
    ("graph", lambda: Perturbation.edges(A), "ndarray", "a FusionGraph"),
    ("graph", lambda: Perturbation.edges(FusionGraph(3, [], [])), "no edges", "at least one edge"),
    ("edges", lambda: Perturbation.edges(GRAPH, [3]), "3", "integers from 0 to 2"),
    ("edges", lambda: Perturbation.edges(GRAPH, [1, 1]), "1 twice", "distinct"),
    ("eps", lambda: CUT.apply(MODEL, [0, 1.1, 0]), "1.1 at index 1", "a number from 0 to 1"),
    ("eps", lambda: CUT.apply(MODEL, [0, 0, -1e-9]), "-1e-09 at index 2", "from 0 to 1"),
    ("eps", lambda: CUT.vector([0, 0]), r"shape \(2,\)", "shape 3"),
    ("perturbation", lambda: PATH_CUT.apply(MODEL, [0, 0]), "other edges", "the edges"),
    ("shape", lambda: Perturbation.targets((3, 2)), r"\(3, 2\)", "whole number >= 1"),
    ("points", lambda: Perturbation.targets(3, [3]), "3", "integers from 0 to 2"),
    ("points", lambda: Perturbation.flips([0, 0]), "0 twice", "distinct"),
    ("points", lambda: Perturbation.flips([3]).bound_to(LABELLED), "3", "integers from 0 to 2"),
    ("perturbation", lambda: Perturbation.flips().apply(MODEL, [0]), "label flips", "-1 or 1"),
    ("perturbation", lambda: MaxDeviation(RELAXED, Perturbation.flips(), 1), "flips", "-1 or 1"),
    ("perturbation", lambda: MaxDeviation(MODEL, Perturbation.targets(3), 1), "targets", "'data'"),
    ("model", lambda: Perturbation.flips().apply(A, [0]), "ndarray", "a LearningModel"),
    ("weights", lambda: GRAPH.with_weights([1, 2]), r"shape \(2,\)", "shape 3"),
    ("weights", lambda: GRAPH.with_weights([1, 2, -1]), "-1.0", "nonnegative"),
    # bilevel problems
    ("perturbation", lambda: MaxDeviation(MODEL, PATH_CUT, 1), "other edges", "model's"),
    ("direction", lambda: PROBLEM.largest_step([1.0]), r"shape \(1,\)", "shape 6"),
    ("model", lambda: MaxDeviation(A, MOVE, 1), "ndarray", "a LearningModel"),
    ("perturbation", lambda: MaxDeviation(MODEL, [1], 1), "list", "a Perturbation"),
    ("perturbation", lambda: MaxDeviation(MODEL, SMALL, 1), r"\(2, 2\)", r"\(3, 2\)"),
    ("budget", lambda: MaxDeviation(MODEL, MOVE, 0), "0.0", "finite number > 0"),
    ("budget", lambda: MaxDeviation(MODEL, MOVE, -1), "-1.0", "finite number > 0"),
    ("budget", lambda: MaxDeviation(MODEL, MOVE, INF), "inf", "finite number > 0"),
    ("norm", lambda: MaxDeviation(MODEL, MOVE, 1, norm=0), "0", "one of 1, 2, inf, 'count'"),
    ("perturbation", lambda: MaxDeviation(MODEL, MOVE, 1, "count"), "-inf to inf", "from 0 to 1"),
    ("perturbation", lambda: MaxDeviation(MODEL, HALVES, 1, "count"), "0 to 0.5", "from 0 to 1"),
    ("budget", lambda: MaxDeviation(MODEL, CUT, 0, "count"), "0", "finite number > 0"),
    ("budget", lambda: MaxDeviation(MODEL, CUT, 1.5, "count"), "1.5", "whole number >= 1"),
    ("limit", lambda: MinPerturbation(MODEL, CUT, 2, "count", limit=0.5), "0.5", "whole number"),
    ("norm", lambda: MinPerturbation(MODEL, MOVE, 1, norm="fro"), "'fro'", "one of 1, 2, inf"),
    ("deviation", lambda: MaxDeviation(MODEL, MOVE, 1, deviation="ri"), "'ri'", "one of 'delta'"),
    ("target", lambda: MinPerturbation(MODEL, MOVE, 0), "0.0", "finite number > 0"),
    ("target", lambda: MinPerturbation(MODEL, MOVE, 7), "7", "at most 6 for 'delta'"),
    ("target", lambda: MinPerturbation(MODEL, MOVE, 1.5, deviation="rand"), "1.5", "at most 1 "),
    ("limit", lambda: MinPerturbation(MODEL, MOVE, 2, limit=0), "0.0", "finite number > 0"),
    ("eps", lambda: MaxDeviation(MODEL, MOVE, 1).project([1.0]), r"shape \(1,\)", "shape 6"),
    # deviation functions
    ("name", lambda: deviation([0, 1], [0, 1], "jaccard"), "'jaccard'", "one of 'delta', "),
    ("labels", lambda: deviation([0], [0]), r"shape \(1,\)", "n >= 2"),
    ("labels", lambda: deviation([0.0, 1.0], [0, 1]), "float64", "integers"),
    ("perturbed_labels", lambda: deviation([0, 1], [[0, 1]]), r"shape \(1, 2\)", "integers"),
    ("perturbed_labels", lambda: deviation([0, 1], [0, 1, 1]), "length 3", "length 2"),
    ("name", lambda: deviation([0, 1], [0, 1], 3), "3", "one of 'delta', "),
    ("deviation", lambda: deviation([0, 1], [0, 1], FAR), "'chosen-pairs' with point 3", "0 to 1"),
    ("deviation", lambda: MaxDeviation(MODEL, MOVE, 1, deviation=FAR), "point 3", "points 0 to 2"),
    ("deviation", lambda: MinPerturbation(MODEL, MOVE, 1, deviation=WIDE), "point 3", "0 to 2"),
    ("target", lambda: MinPerturbation(MODEL, MOVE, 3, deviation=NEAR), "3", "at most 2 for 'betw"),
    ("pairs", lambda: chosen_pairs([]), r"shape \(0,\)", r"shape \(P, 2\), P >= 1"),
    ("pairs", lambda: chosen_pairs(np.empty((0, 2), dtype=int)), "none", "P >= 1"),
    ("pairs", lambda: chosen_pairs([[0.0, 1.0]]), "float64", "rows of two different points"),
    ("pairs", lambda: chosen_pairs([[0, 1], [2, 2]]), r"row \[2, 2\]", "two different"),
    ("pairs", lambda: chosen_pairs([[-1, 2]]), r"row \[-1, 2\]", "points >= 0"),
    ("pairs", lambda: chosen_pairs([[0, 1], [1, 0]]), r"\[0, 1\] twice", "none twice"),
    ("points", lambda: between_clusters([], [0]), r"shape \(0,\)", "distinct integers from 0 on"),
    ("points", lambda: between_clusters([-1], [0]), "-1", "integers from 0 on"),
    ("others", lambda: between_clusters([0], [1, 1]), "1 twice", "distinct"),
    ("others", lambda: between_clusters([0, 2], [1, 2]), "point 2", "no point that is in `points`"),
    # data sets
    ("name", lambda: load_dataset("irises"), "'irises'", "'breast-cancer', 'diabetes', 'seeds', "),
    ("name", lambda: load_dataset(3), "3", "path of a file"),
    ("name", lambda: load_dataset(None), "None", "path of a file"),
    ("name", lambda: load_dataset(["iris"]), r"\['iris'\]", "path of a file"),
]  # fmt: skip


@pytest.mark.parametrize(("argument", "call", "given", "expected"), TABLE)
def test_wrong_argument(argument, call, given, expected):
    with pytest.raises(
        ArgumentError, match=rf"^{argument}: got .*{given}.*, expected .*{expected}"
    ) as caught:
        call()
    assert caught.value.argument == argument


@pytest.mark.parametrize("p", [1, 2, INF, 1.0, 2.0, np.float64(2), np.int64(2)])
def test_every_spelling_of_a_norm(p):
    assert ConvexClustering(A, GRAPH, 1, p=p).p == p
