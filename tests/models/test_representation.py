"""How objects show themselves: one line, a table of HTML, and a dictionary for JSON."""

import copy
import json
import pickle
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans

import bilad.models
from bilad.models import (
    Answer,
    BlackBox,
    Capability,
    ConvexClustering,
    Dataset,
    FusionGraph,
    LogisticRegression,
    MaxDeviation,
    MinPerturbation,
    Perturbation,
    Ridge,
    SupportVectorMachine,
    recovery_interval,
)
from bilad.models.representation import SHORT, Represented, json_form
from bilad.solvers import attack, certify, cluster, fit

A = np.array([[0.0, 1.0], [2.0, 3.0], [5.0, 5.0], [6.0, 5.5]])
GRAPH = FusionGraph(4, [[0, 1], [1, 2], [2, 3]], [1.0, 0.5, 2.0])
MODEL = ConvexClustering(A, GRAPH, 0.25)
TARGETS = [0, 0, 1, 1]
RIDGE = Ridge(A, [1.0, 2.0, 3.0, 5.0], 0.5)
SVM = SupportVectorMachine(A, ["no", "no", "yes", "yes"], loss="hinge", intercept=True)
MOVE = Perturbation.additive((4, 2), points=[0])
BL1 = MaxDeviation(MODEL, MOVE, 1.5)
BL2 = MinPerturbation(MODEL, MOVE, 2, norm=float("inf"), limit=3)
FOUND = attack(BL1, "random", max_solves=4, bound="none", closing="none")

LINES = {
    "FusionGraph(n=4, edges=3)": GRAPH,
    "FusionGraph(n=1000000, edges=499999500000, weight=0.5)": FusionGraph.complete(10**6, 0.5),
    "ConvexClustering(n=4, d=2, edges=3, gamma=0.25, p=2)": MODEL,
    "ConvexClustering(n=4, d=2, edges=3, gamma=0, p=inf)": ConvexClustering(A, GRAPH, 0, np.inf),
    "Ridge(n=4, d=2, penalty=0.5, intercept=False)": RIDGE,
    "LogisticRegression(n=4, d=2, penalty=1, intercept=False, classes=[0, 1])": (
        LogisticRegression(A, TARGETS)
    ),
    "SupportVectorMachine(n=4, d=2, penalty=1, intercept=True, classes=['no', 'yes'], "
    "loss='hinge')": SVM,
    "BlackBox(n=4, d=2, estimator=KMeans(n_clusters=2), max_queries=7)": (
        BlackBox(A, KMeans(n_clusters=2), max_queries=7)
    ),
    "Perturbation(data=(4, 2), k=2)": MOVE,
    "Perturbation(weights=(3,), k=3, lower=0, upper=1)": Perturbation.edges(GRAPH),
    "Perturbation(targets='labels', points=[2, 0])": Perturbation.flips([2, 0]),
    "MaxDeviation(model=ConvexClustering(n=4, d=2, edges=3, gamma=0.25, p=2), "
    "perturbation=Perturbation(data=(4, 2), k=2), budget=1.5, norm=2, deviation='delta')": BL1,
    "MinPerturbation(model=ConvexClustering(n=4, d=2, edges=3, gamma=0.25, p=2), "
    "perturbation=Perturbation(data=(4, 2), k=2), target=2, limit=3, norm=inf, "
    "deviation='delta')": BL2,
    "Dataset(name='mine', n=4, d=2, classes=2, features=('a', 'b'))": (
        Dataset("mine", A, ("a", "b"), np.array(TARGETS))
    ),
    "SquaredLoss()": RIDGE.loss_function,
    "HingeLoss(width=0)": SVM.loss_function,
    "Capability(name='solve')": bilad.models.CAPABILITIES["solve"],
    "DeviationFunction(name='delta', compares='labels', is_discrete=True)": BL1.deviation,
    "Answer(outcome=[0, 0, 1, 1], proved=True, status='answered', gap=None)": (
        Answer(np.array(TARGETS))
    ),
}
RESULTS = {
    "Clustering(status='optimal', n_clusters=": cluster(MODEL),
    "Fit(status='optimal', theta=[": fit(RIDGE),
    "Attack(status='": FOUND,
    "Certificate(status='": certify(BL1, max_solves=3),
    "RecoveryInterval(recovers=": recovery_interval(MODEL, TARGETS),
}
ALL = [*LINES.values(), *RESULTS.values(), FOUND.own, FOUND.history[0]]
PICKLED = [one for one in ALL if not isinstance(one, Capability)]


@pytest.mark.parametrize("line", LINES)
def test_an_object_shows_itself_in_one_line(line):
    assert repr(LINES[line]) == line


@pytest.mark.parametrize("start", RESULTS)
def test_a_result_shows_first_what_matters(start):
    line = repr(RESULTS[start])
    assert line.startswith(start)
    assert "\n" not in line
    assert len(line) < 400


def test_the_edges_of_a_complete_graph_are_not_made():
    graph = FusionGraph.complete(50)
    model = ConvexClustering(np.arange(50.0).reshape(-1, 1), graph, 1.0)
    assert "edges=1225" in repr(model)
    model._repr_html_(), graph.to_dict(), model.to_dict()
    assert "edges" not in vars(graph)
    assert "weights" not in vars(graph)


@pytest.mark.parametrize("shown", ALL, ids=lambda shown: type(shown).__name__)
def test_the_dictionary_is_json(shown):
    content = shown.to_dict()
    kind = content.pop("type")
    assert repr(shown).startswith(f"{kind}(")
    assert set(content) >= set(shown.summary())
    assert json.loads(json.dumps(content, allow_nan=False)) == content


@pytest.mark.parametrize("shown", PICKLED, ids=lambda shown: type(shown).__name__)
def test_copies_and_pickles_show_the_same(shown):
    for other in (copy.copy(shown), copy.deepcopy(shown), pickle.loads(pickle.dumps(shown))):
        assert repr(other) == repr(shown)


def test_results_are_complete():
    content = FOUND.to_dict()
    assert content["eps"] == FOUND.eps.tolist()
    assert content["baseline"] == FOUND.baseline.labels.tolist()
    assert content["solution"] == FOUND.labels.tolist()
    assert [one["deviation"] for one in content["history"]] == [
        one.deviation for one in FOUND.history
    ]
    assert content["problem"]["model"]["gamma"] == 0.25
    assert BL2.to_dict()["norm"] == "inf"  # JSON has no infinity, and None would be no norm
    assert ConvexClustering(A, GRAPH, 1, np.inf).to_dict()["p"] == "inf"
    clustering = cluster(MODEL)
    content = clustering.to_dict()
    assert np.array_equal(content["X"], clustering.X)
    assert content["labels"] == clustering.labels.tolist()
    assert not {"make_dual", "reusable", "partition"} & set(content)


@dataclass(frozen=True, repr=False)
class Result(Represented):
    first: Any
    second: Any = 2.0


class Loud:
    def __repr__(self):
        raise ValueError("no")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1 / 3, "0.333333"),
        (np.float32(0.1), "0.1"),
        (float("nan"), "nan"),
        (-np.inf, "-inf"),
        (np.int64(7), "7"),
        (np.bool_(True), "True"),
        (None, "None"),
        ("it's", '"it\'s"'),
        ([1.0, 0.25], "[1, 0.25]"),
        ((), "()"),
        (np.arange(7), "[0, 1, 2, 3, 4, ..., 6]"),
        (np.eye(3), "array of shape (3, 3)"),
        (np.array(2.5), "array of shape ()"),
        ("x" * 200, "'" + "x" * 37 + "..." + "x" * 38 + "'"),
        ("a\nb", "'a\\nb'"),
    ],
)
def test_values_are_short(value, text):
    assert SHORT.repr(value) == text


def test_no_value_breaks_the_line():
    assert repr(Result(Loud())).startswith("Result(first=<Loud instance at")
    text = repr(Result(pd.DataFrame({"a": range(100)})))
    assert "\n" not in text
    assert len(text) < 150
    unfinished = ConvexClustering.__new__(ConvexClustering)
    assert repr(unfinished) == "<ConvexClustering, incomplete>"
    assert "incomplete" in unfinished._repr_html_()
    assert "n=4" in repr(type("_Private", (ConvexClustering,), {})(A, GRAPH, 1.0))


def test_html_is_escaped():
    html = Result("<script>alert('x')</script>", "\udcff")._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    html.encode()
    page = type("<b>", (Result,), {})(1)._repr_html_()
    assert "<b>" not in page
    assert page.count("<tr>") == 3


def test_what_json_cannot_hold_becomes_none_or_text():
    given = {
        1: np.array([1.0, np.inf]),
        "b": {np.float64("nan")},
        "c": Result((np.int64(3), "x")),
        "d": Loud,
    }
    form = json_form(given)
    assert form["1"] == [1.0, None]
    assert form["b"] == [None]
    assert form["c"] == {"type": "Result", "first": [3, "x"], "second": 2.0}
    assert "Loud" in form["d"]


def test_public_classes_show_themselves():
    classes = {name for name in bilad.models.__all__ if name[0].isupper() and name != name.upper()}
    shown = {name for name in classes if issubclass(getattr(bilad.models, name), Represented)}
    errors = {name for name in classes if issubclass(getattr(bilad.models, name), Exception)}
    assert classes - shown - errors == {"Solution"}  # a protocol
