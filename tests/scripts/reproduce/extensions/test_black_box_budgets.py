"""Black-box attacks: values by budget agree with the history, and no budget is exceeded."""

from dataclasses import replace

import numpy as np
import pytest

from bilad.models import BlackBox, MaxDeviation, Perturbation, deviation
from bilad.scripts.instances import CONVEX, draw
from bilad.scripts.reproduce.extensions.black_box_budgets import (
    WHITE,
    Queries,
    answer,
    best_after,
    black_box_blocks,
    black_box_runs,
    clusterer,
)
from bilad.solvers import attack, cluster


@pytest.fixture(scope="module")
def rows():
    return list(black_box_runs([CONVEX, "k-means"], ["random", "cma"], 18, 3, (5, 15), [0]))


def test_more_queries_are_never_worse(rows):
    for first, second in zip(rows[::2], rows[1::2], strict=True):
        assert (first.method, first.queries, second.queries) == (second.method, 5, 15)
        assert first.value <= second.value <= second.best


def test_the_stranger_is_the_models_convex_clustering_at_perturbed_data_too():
    rng = np.random.default_rng(0)
    model = draw("plane 18", rng)[0]
    for size in (0.0, 1.0, 3.0):
        moved = model.replace(data=model.data + size * rng.normal(size=model.data.shape))
        labels = clusterer(CONVEX, model).fit_predict(moved.data)
        assert deviation(labels, cluster(moved, refine=True).labels) == 0


def test_a_curve_is_that_of_the_history():
    model = draw("plane 18", np.random.default_rng(0))[0]
    box = BlackBox(model.data, clusterer("k-means", model), max_queries=15)
    free = Perturbation.additive(model.data.shape, [0, 1, 2], [0])
    found = attack(MaxDeviation(box, free, 3.0, np.inf), "random", bound="none")
    assert found.lower_solves <= 15
    before = box.query()
    values = [deviation(before, free.apply(box, seen.eps).query()) for seen in found.history]
    assert best_after(found, (3, 8)).tolist() == [max(values[:3]), max(values[:8])]


def _row(method, value, queries=10, learner=CONVEX):
    return Queries(learner, method, 0, queries, value, 4.0, 0.1)


def test_the_answer_turns_with_the_rows(rows):
    leading = [_row("nes", 4.0), _row("cma", 2.0), _row(WHITE, 3.0)]
    assert "nes is best" in answer(leading)
    assert "solves has 75%" in answer(leading)
    assert "cma is best" in answer([replace(leading[0], value=1.0), *leading[1:]])
    table, _ = black_box_blocks(rows, 18, 3)
    assert {cell["method"] for cell in table.cells} == {"random", "cma", WHITE}
