"""Gaps, sensitivities, costs and summaries, compared with values computed by hand."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bilad.scripts.experiments.run import failed
from bilad.scripts.experiments.specification import read_specification
from bilad.scripts.experiments.table import (
    by_problem,
    costs,
    filled,
    gap,
    ratios,
    scores,
    summary,
    table_of,
    times,
)

INF, NAN = float("inf"), float("nan")


@pytest.mark.parametrize(
    ("question", "sense", "best", "value", "expected"),
    [
        ("BL1", "max", 10.0, 8.0, 0.2),
        ("BL1", "max", 10.0, 0.0, 1.0),
        ("BL1", "max", 0.0, 0.0, NAN),
        ("BL2", "min", 2.0, 4.0, 0.5),
        ("BL2", "min", 2.0, INF, 1.0),
        ("BL2", "min", INF, INF, NAN),
        ("BL2", "min", 2.0, NAN, NAN),
        ("bilevel", "min", -3.0, -1.0, 0.5),
        ("bilevel", "max", -1.0, -3.0, 1.0),
        ("bilevel", "min", -3.0, NAN, 1.0),
        ("bilevel", "min", NAN, NAN, NAN),
    ],
)
def test_gaps(question, sense, best, value, expected):
    np.testing.assert_allclose(gap(question, sense, best, value), expected)


@pytest.fixture
def rows(line):
    """Rows of one problem of (BL1) by two methods, the first with two options."""
    line |= {"seeds": [0], "methods": {"a": {"method": "corners"}, "b": {"method": "random"}}}
    line["methods"]["a"]["vary"] = {"corners": [1, 2]}
    line["problems"][0] |= {"budgets": 1.0}
    del line["problems"][0]["targets"]
    made = [failed(run, "feasible", "converged") for run in read_specification(line).runs]
    history = [(1, 0.1, 5.0), (4, 0.5, 9.6), (9, 2.0, 10.0)]
    return [
        replace(made[0], own=10.0, closed=11.0, history=json.dumps(history), solves=9),
        replace(made[1], own=6.0, solves=4, history=json.dumps([(2, 0.2, 6.0)])),
        replace(made[2], own=5.0, solves=2, history=json.dumps([(1, 0.1, 5.0)])),
    ]


def test_the_best_is_that_of_all_runs_or_the_known_optimum(rows):
    table = table_of(rows)
    assert table.best.tolist() == [11.0] * 3  # what closing found counts
    np.testing.assert_allclose(table.gap, [1 / 11, 5 / 11, 6 / 11])
    assert table.closed_gap.tolist()[0] == 0.0
    np.testing.assert_allclose(table.sensitivity, [4 / 11, 4 / 11, NAN])
    known = table_of([replace(row, optimum=20.0) for row in rows])
    np.testing.assert_allclose(known.gap, [0.5, 0.7, 0.75])


def test_a_refused_run_does_not_count_for_the_sensitivity(rows):
    rows[1] = replace(rows[1], own=0.0, status="refused")
    assert np.isnan(table_of(rows).sensitivity).all()


def test_runs_that_differ_in_their_limits_only_are_kept_apart(rows):
    settings = json.dumps({**json.loads(rows[2].settings), "solves": 99})
    again = replace(rows[2], key="with other limits", own=4.0, settings=settings)
    table = table_of([*rows, again])
    assert {"b, solves = 99", "b, solves = 12"} < set(table.label)
    assert np.isnan(table[table.method == "random"].sensitivity).all()
    assert table.label[table.method == "corners"].nunique() == 2


def test_a_problem_without_an_attack_counts_as_a_run_but_has_no_gap(rows):
    other = [
        replace(row, key=f"{row.key}x", fingerprint="other", problem="p", own=0.0, closed=NAN)
        for row in rows
    ]
    table = table_of([*other, *rows])
    cells = summary(table).set_index("method").to_dict("index")
    assert (cells["b"]["runs"], cells["b"]["found"]) == (2, "50.0%")
    np.testing.assert_allclose(cells["b"]["gap"], 6 / 11)
    assert set(by_problem(table).problem) == {"p", rows[0].problem}
    assert list(summary(table_of(other)).found) == ["0.0%"] * 3


def test_empty_columns_are_left_out_but_not_the_gap_and_the_sensitivity(rows):
    kept = set(filled(summary(table_of(rows[2:]))))
    assert {"method", "runs", "gap", "sensitivity", "found"} <= kept
    assert not {"killed", "errors", "slack", "closed"} & kept


def test_rows_are_in_the_order_of_the_specification(rows, line):
    table = table_of(rows[::-1])
    assert table.position.tolist() == [0, 1, 2]
    runs = read_specification(line).runs
    stored = [replace(row, position=7 - row.position) for row in rows]  # before it was edited
    assert table_of(stored, runs).position.tolist() == [0, 1, 2]
    assert table_of(stored).position.tolist() == [5, 6, 7]
    assert by_problem(table).method.tolist() == ["a, corners = 1", "a, corners = 2", "b"]


@pytest.mark.filterwarnings("error")
def test_a_bound_of_a_bilevel_model_that_is_not_finite_has_no_slack(rows):
    model = replace(rows[0], question="bilevel", sense="min", bound=-np.inf)
    assert np.isnan(table_of([model]).slack).all()


def test_ratios_to_the_first_method(rows):
    """6 / 10 and 5 / 10; nothing with another seed; nothing by the first with a third."""
    first, last = rows[0], rows[2]
    more = [replace(first, seed=1), replace(last, seed=1, own=0.0), replace(last, seed=2, own=1.0)]
    found = ratios(table_of([*rows, *more])).set_index(["problem", "method"])
    assert found.columns.tolist() == ["runs", "mean ratio to a, corners = 1", "least"]
    for problem in (first.problem, "all"):
        assert found.loc[(problem, "a, corners = 2")].tolist() == pytest.approx([1, 0.6, 0.6])
        assert found.loc[(problem, "b")].tolist() == pytest.approx([2, 0.25, 0.0])
    shorter = [replace(row, sense="min", question="BL2") for row in rows]
    found = ratios(table_of(shorter)).set_index(["problem", "method"])
    assert found.loc[("all", "b")].tolist() == pytest.approx([1, 2.0, 2.0])
    assert ratios(table_of(rows[:1])).empty


def test_costs_until_a_gap(rows):
    table = table_of([replace(row, closed=NAN) for row in rows])
    spent = costs(table, "solves")
    assert {label: own.tolist() for label, own in spent.items()} == {
        "a, corners = 1": [4.0], "a, corners = 2": [INF], "b": [INF],
    }  # fmt: skip
    assert costs(table, "seconds", 0.0)["a, corners = 1"].tolist() == [2.0]
    assert costs(table, "seconds", 0.5)["b"].tolist() == [0.1]


def test_summaries(rows):
    refused = replace(rows[2], status="refused", own=0.0, key="x", label="c", base="c")
    error = replace(rows[2], status="error", termination="error: no", own=0.0, key="y", seed=1)
    table = table_of([*rows, refused, error])
    cells = summary(table).set_index("method", drop=False).to_dict("index")
    assert list(cells) == ["a, corners = 1", "a, corners = 2", "b"]
    assert cells["b"]["errors"] == 1
    assert cells["b"]["worst"] == 1.0
    assert cells["a, corners = 1"]["within 5 %"] == "0.0%"
    np.testing.assert_allclose(cells["a, corners = 1"]["sensitivity"], 4 / 11)
    problems = by_problem(table)
    assert problems.value.tolist() == [10.0, 6.0, 2.5]  # medians over the seeds
    assert problems.found.tolist() == [1, 1, 1]
    for found in (summary(table), problems, times(table), scores(table)):
        assert {"gap", "sensitivity"} <= set(found)


def test_scores_are_means_and_quartiles(rows):
    made = [
        replace(rows[0], key=str(k), seed=k, own=float(k), score=0.1 * k, clean_score=0.05)
        for k in range(5)
    ]
    (found,) = scores(table_of([*made, rows[1]])).itertuples(index=False)
    assert found[1:5] == ("a, corners = 1", 5, 2.0, "1 .. 3")
    assert found[7] == "0.1 .. 0.3"
    np.testing.assert_allclose(found[5:7], [0.05, 0.2])


def test_a_table_without_rows_has_its_columns():
    table = table_of([])
    assert isinstance(table, pd.DataFrame)
    assert {"own", "gap", "sensitivity"} <= set(table)
    assert not any(len(of(table)) for of in (summary, by_problem, scores, times))
