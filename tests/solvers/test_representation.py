"""The results of solvers show themselves: one line, a table of HTML, and a dictionary for JSON."""

import json
import pickle
import re

import numpy as np
import pytest
from support.followers import bard

import bilad.solvers
from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation
from bilad.models.representation import Represented
from bilad.solvers import (
    LowerLevel,
    attack,
    certify,
    cluster,
    compare_bilevel,
    drop_edges,
    drop_points,
    exact_recovery_interval,
    find_violation,
    mpcc_stationarity,
    solve_bilevel,
    stationarity,
)

LINE = np.array([[0.0], [1.0], [9.0], [10.0]])
MODEL = ConvexClustering(LINE, FusionGraph.complete(4), 0.6)
BL1 = MaxDeviation(MODEL, Perturbation.additive((4, 1), points=[1]), 3.0)
FAST = {"bound": "none", "closing": "none"}


def failing():
    """An attack that ended with an error whose message is long and contains other lines."""

    def fault(done, total):
        raise ValueError("<b>\n" + "x" * 500)

    return attack(BL1, "direct", on_progress=fault, **FAST)


def with_an_attack():
    lower = LowerLevel(BL1)
    lower.evaluate([2.5])
    return lower


def at_a_solution():
    model = bard()
    solve_bilevel(model, "kkt")
    return mpcc_stationarity(model)


MAKE = {
    "Attack(status=": failing,
    "BilevelComparison(kkt=": lambda: compare_bilevel(bard(), ["kkt"]),
    "BilevelSolution(status=": lambda: solve_bilevel(bard(), "kkt"),
    "Certificate(status=": lambda: certify(BL1, max_solves=3),
    "Clustering(status=": lambda: cluster(MODEL),
    "DroppedEdges(status=": lambda: drop_edges(MODEL, 1),
    "DroppedPoints(status=": lambda: drop_points(MODEL, 1),
    "ExactInterval(low=": lambda: exact_recovery_interval(MODEL, [0, 0, 1, 1]),
    "LowerLevel(solves=1": with_an_attack,
    "MpccStationarity(kind=": at_a_solution,
    "PropertyCheck(deviation='nmi'": lambda: find_violation(BL1, "nmi", rays=2, points=3),
    "Stationarity(kind=": lambda: stationarity(attack(BL1, "corners", max_solves=9, **FAST)),
}


@pytest.mark.parametrize("start", MAKE)
def test_a_result_shows_itself(start):
    result = MAKE[start]()
    line, html = repr(result), result._repr_html_()
    assert line.startswith(start)
    assert "\n" not in line
    assert len(line) < 600
    assert not re.search(r"object at 0x|array\(|np\.|\d\.\d{10}", line)
    assert html.startswith("<table")
    assert "<b>" not in html
    content = result.to_dict()
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert content["type"] == line.split("(")[0]
    if not isinstance(result, LowerLevel):  # holds the state of a search
        assert repr(pickle.loads(pickle.dumps(result))) == line


def test_public_classes_show_themselves():
    public = (getattr(bilad.solvers, name) for name in bilad.solvers.__all__)
    classes = {one for one in public if isinstance(one, type)}
    shown = {one for one in classes if issubclass(one, Represented | Exception)}
    assert {one.__name__ for one in classes - shown} == {"ConvexClusterer"}  # by scikit-learn


def test_a_level_that_is_shown_is_not_solved():
    lower = LowerLevel(BL1)
    assert "solves=0" in repr(lower)
    lower._repr_html_(), lower.to_dict()
    assert not lower.has_baseline


def test_solutions_as_frames():
    model = bard()
    both = compare_bilevel(model, ["kkt", "value-function"])
    frame = both.to_frame()
    assert list(frame.index) == ["kkt", "value-function"]
    assert frame.objective["kkt"] == both["kkt"].objective
    values = both["kkt"].to_frame().value
    assert values["x"] == pytest.approx(4.0, abs=1e-5)
    assert values["lower.y"] == pytest.approx(4.0, abs=1e-5)


def test_methods_that_do_not_apply_have_a_row():
    refused = bilad.solvers.BilevelComparison({}, {"kkt": "because"})
    assert repr(refused) == "BilevelComparison(kkt='does not apply')"
    assert refused.to_frame().status.to_dict() == {"kkt": "does not apply"}
    assert len(bilad.solvers.BilevelComparison({}, {}).to_frame()) == 0
