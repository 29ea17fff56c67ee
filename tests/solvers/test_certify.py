"""Certificates: what is proved on both sides, and files that others can check."""

import json

import numpy as np
import pytest
from sklearn.cluster import KMeans

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, MinPerturbation, Perturbation
from bilad.models.learning.black_box import BlackBox
from bilad.models.validation import ArgumentError
from bilad.solvers import certify, check_counterexample
from bilad.solvers.certificates.counterexample import CounterexampleError

A = np.array([[0.0, 0.0], [1.0, 0.0], [9.0, 0.0], [10.0, 0.5]])


def planar(budget=None, norm=2):
    """Two pairs of points, far apart."""
    model = ConvexClustering(A, FusionGraph.complete(4), 0.8)
    free = Perturbation.additive(A.shape)
    if budget is None:
        return MinPerturbation(model, free, 2.0, norm)
    return MaxDeviation(model, free, budget, norm)


def line():
    """On a line all shifts are free: the facets say how far. Each pair parts at a difference 2 r,
    1 more than there is: 0.5 sqrt(2) away.
    """
    model = ConvexClustering(A[:, :1], FusionGraph.complete(4), 1.0)
    return MinPerturbation(model, Perturbation.additive((4, 1)), 2.0)


def test_the_exact_parametric_path():
    model = ConvexClustering([[0.0], [3.0]], FusionGraph.complete(2), 1.0)
    shift = Perturbation.shift([[1.0], [0.0]])
    found = certify(MaxDeviation(model, shift, 2.0))
    assert (found.status, found.method, found.exact) == ("attacked", "exact staircase", True)
    assert found.lower == pytest.approx(1.0, rel=1e-12)
    assert found.lower <= found.upper <= 1.0 + 1e-6
    found = certify(MaxDeviation(model, shift, 0.9))
    assert (found.status, found.exact) == ("robust", True)
    assert found.lower == pytest.approx(1.0, rel=1e-12)  # whatever the budget
    assert found.lower <= found.upper == found.attack.norm <= 1.0 + 1e-6


def test_facets():
    found = certify(line())
    assert (found.status, found.method, found.exact) == ("attacked", "facets", True)
    assert found.lower == pytest.approx(0.5 * 2**0.5, rel=1e-12)
    assert found.lower <= found.upper <= found.lower * (1 + 1e-5)


@pytest.mark.parametrize("norm", [1, 2, np.inf])
def test_flows_and_nonexpansiveness(norm):
    found = certify(planar(norm=norm), max_solves=40)
    assert (found.status, found.method, found.exact) == (
        "attacked",
        "flows and nonexpansiveness",
        False,
    )
    assert 0 < found.lower <= found.upper < np.inf
    assert certify(planar(0.99 * found.lower, norm), max_solves=20).status == "robust"
    assert certify(planar(3 * found.upper, norm), max_solves=40).status == "attacked"


def test_without_solves_nothing_is_attacked():
    found = certify(planar(), max_solves=0)
    assert found.status == "unknown"
    assert found.upper == np.inf
    with pytest.raises(ArgumentError, match="no attack"):
        found.write("nowhere.json")


def test_a_counterexample_is_checked_and_a_forged_one_refused(tmp_path):
    path = tmp_path / "attack.json"
    found = certify(planar(), max_solves=100)
    found.write(path)
    assert check_counterexample(path) == found.upper
    honest = json.loads(path.read_text())
    for name, value in (
        ("labels_after", honest["labels_before"]),
        ("labels_before", honest["labels_after"]),
        ("eps", [0.5 * e for e in honest["eps"]]),
        ("size", 0.5 * honest["size"]),
        ("gamma", 0.1),
        ("format", "another"),
        ("weights", [-1.0] * len(honest["weights"])),
        ("edges", [[0, 99]] * len(honest["edges"])),
        ("labels_after", [0]),
        ("eps", [1.0]),
        ("data_operator", {**honest["data_operator"], "shape": [1, 1]}),
    ):
        path.write_text(json.dumps({**honest, name: value}))
        with pytest.raises(CounterexampleError):
            check_counterexample(path)
    path.write_text("{}")
    with pytest.raises(CounterexampleError, match="not a counterexample"):
        check_counterexample(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(CounterexampleError, match="not a counterexample"):
        check_counterexample(path)


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    """A counterexample on a line, as text."""
    path = tmp_path_factory.mktemp("honest") / "attack.json"
    certify(line()).write(path)
    assert check_counterexample(path) > 0
    return path.read_text()


def _with(name, value):
    return lambda text: json.dumps({**json.loads(text), name: value})


def _operator(name, value):
    def change(text):
        content = json.loads(text)
        content["data_operator"][name] = value
        return json.dumps(content)

    return change


HUGE = 10**12
HOSTILE = {
    "deep": lambda text: "[" * 200_000,
    "deep objects": lambda text: '{"format":' * 100_000,
    "no object": lambda text: "[1, 2]",
    "a number": lambda text: "7",
    "nothing": lambda text: "",
    "half": lambda text: text[: len(text) // 2],
    "twice": lambda text: text.replace('"gamma"', '"gamma": 1, "gamma"'),
    "UTF-16": lambda text: text.encode("utf-16"),
    "latin-1": lambda text: text.replace("bilad", "\xe9").encode("latin-1"),
    "zeros": lambda text: b"\x00" * 100,
    "many digits": lambda text: text.replace('"gamma": ', '"gamma": ' + "9" * 5000),
    "a large number": lambda text: text.replace('"gamma": ', '"gamma": 1' + "0" * 400),
    "huge rows": _operator("shape", [HUGE, 4]),
    "huge columns": _operator("shape", [4, HUGE]),
    "shape of text": _operator("shape", "44"),
    "shape of one": _operator("shape", [4]),
    "rows beyond": _operator("rows", [0, 1, 2, HUGE]),
    "rows before": _operator("rows", [0, 1, 2, -1]),
    "broken rows": _operator("rows", [0, 1, 2, 2.5]),
    "too few rows": _operator("rows", [0]),
    "values of text": _operator("values", ["1", "x", "1", "1"]),
    "no values": _operator("values", None),
    "no operator": _with("data_operator", []),
    "NaN": _with("eps", [float("nan")] * 4),
    "infinite": _with("gamma", float("inf")),
    "NaN as text": _with("p", "nan"),
    "another norm": _with("norm", "0"),
    "ragged": _with("data", [[0.0], [1.0, 2.0], [3.0], [4.0]]),
    "nested": _with("data", [[[0.0]]]),
    "no data": _with("data", []),
    "data of text": _with("data", "abcd"),
    "null": _with("edges", None),
    "a dictionary": _with("weights", {}),
    "broken labels": _with("labels_after", [0, 0.5, 1, 1]),
    "labels of text": _with("labels_after", "0011"),
    "huge labels": _with("labels_after", [0, 10**40, 1, 1]),
    "negative labels": _with("labels_after", [-1, 0, 1, 1]),
    "too many labels": _with("labels_after", [0, 1, 2, 2, 2]),
    "another format": _with("format", ["x"] * 10_000),
    **{
        f"without {name}": lambda text, name=name: json.dumps(
            {key: value for key, value in json.loads(text).items() if key != name}
        )
        for name in ("format", "data", "edges", "weights", "gamma", "p", "norm", "eps", "size",
                     "data_operator", "edge_operator", "labels_before", "labels_after")
    },
}  # fmt: skip


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE)
def test_whatever_a_file_holds_it_is_refused(change, honest, tmp_path):
    content = change(honest)
    path = tmp_path / "hostile.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert path.read_bytes() != honest.encode()
    with pytest.raises(CounterexampleError) as caught:
        check_counterexample(path)
    assert len(str(caught.value)) < 400


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        check_counterexample(tmp_path / "none.json")


def test_weights_come_back(tmp_path):
    model = ConvexClustering([[0.0], [3.0]], FusionGraph.complete(2), 2.0, 2)
    found = certify(MinPerturbation(model, Perturbation.edges(model.graph), 2.0))
    assert found.lower == pytest.approx(0.25, rel=1e-6)
    found.write(tmp_path / "edges.json")
    assert check_counterexample(tmp_path / "edges.json") == found.upper


def test_black_boxes_are_refused():
    box = BlackBox(A, KMeans(2, n_init=1, random_state=0))
    with pytest.raises(ArgumentError, match="got BlackBox.*'radius' is registered"):
        certify(MaxDeviation(box, Perturbation.additive(A.shape), 1.0))
