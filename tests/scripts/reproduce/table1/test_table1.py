"""Table 1: rows recomputed by brute force, and the verdicts for given rows."""

from dataclasses import replace
from fractions import Fraction
from importlib.util import find_spec
from itertools import combinations

import numpy as np
import pytest

from bilad.models import DatasetError, load_dataset
from bilad.models.problem import LENGTH_TOL
from bilad.scripts.reproduce.part import Bench
from bilad.scripts.reproduce.table1 import table1
from bilad.scripts.reproduce.table1.claims import (
    Cost,
    claims_of,
    cost_claims,
    costs,
    dearer,
    form_claim,
    harder,
    larger_delta,
    main_cost,
    stationary_claims,
)
from bilad.scripts.reproduce.table1.paper import PAPER_ROWS
from bilad.scripts.reproduce.table1.runs import (
    DIRECT,
    DIRECT_SSNAL,
    FMINCONS,
    INTERIOR_POINT,
    ONE_START,
    Row,
    Sizes,
    entries,
    is_flat,
    runs,
)
from bilad.scripts.settings import SETTINGS
from bilad.solvers import cluster
from bilad.solvers.clustering.parametric.parametric_path import ParametricPath
from bilad.solvers.upper import REFORMULATIONS, UPPER_METHODS

IRIS = SETTINGS["iris"]
SMALL = Sizes(seconds=5.0, restarts=1, coarsening=20, ssnal_coarsening=200, timed=3)
FEW = ("exact", DIRECT, ONE_START)


@pytest.fixture(scope="module")
def rows():
    """Return the rows of three methods on Iris."""
    chosen = [entry for entry in entries(IRIS, SMALL) if entry.name in FEW]
    return list(runs(IRIS, chosen, seed=0))


def test_rows_are_what_the_lower_level_says(rows):
    assert [(row.problem, row.method) for row in rows] == [
        (problem, name) for problem in ("BL1", "BL2") for name in ("exact", DIRECT, ONE_START)
    ]
    model, shift = IRIS.model(), IRIS.shift()
    before = cluster(model).labels
    for row in rows:
        after = cluster(shift.apply(model, row.eps)).labels
        pairs = combinations(range(100), 2)
        assert row.delta == 2 * sum(
            (before[i] == before[j]) != (after[i] == after[j]) for i, j in pairs
        )
        assert row.proved
        assert row.flat
        assert (row.n, row.K) == (100, 2)
        assert 0 <= row.share_solving <= 1


def test_shares_are_of_the_exact_optimum(rows):
    by = {(row.problem, row.method): row for row in rows}
    assert by["BL1", "exact"].share == pytest.approx(1)
    assert 1 / (1 + LENGTH_TOL) <= by["BL2", "exact"].share <= 1
    found = by["BL2", DIRECT]  # the first multiple of 0.2 from 1.968 on
    assert found.norm == pytest.approx(2.0)
    assert found.share == pytest.approx(1.968 / 2.0)
    assert by["BL1", ONE_START].share == by["BL2", ONE_START].share == 0


def test_every_method_that_takes_iris_is_run_with_its_variants():
    names = [entry.name for entry in entries(IRIS, SMALL)]
    variants = {DIRECT_SSNAL, ONE_START, INTERIOR_POINT}
    extras = {"nomad": "PyNomad", "nlopt-crs": "nlopt"}
    not_here = {name for name, module in extras.items() if find_spec(module) is None}
    assert set(names) == (set(UPPER_METHODS) - {"milp", "greedy"} - not_here) | variants
    assert len(names) == len(set(names))
    for most, problems in (((100, 99), {("BL1",)}), ((99, 99), set())):
        some = entries(IRIS, replace(SMALL, reformulation_points=most))
        assert {tuple(one.problems) for one in some if one.name in REFORMULATIONS} == problems
        assert {one.name for one in some} >= set(names) - set(REFORMULATIONS)


def row_with(method, dataset="iris", **values):
    """Return a row of (BL1) with the given values and arbitrary others."""
    given = {
        "problem": "BL1", "n": 100, "K": 2, "eps": -2.0, "norm": 2.0, "delta": 4998,
        "n_changed": 49, "n_changed_matched": 49, "clusters": 2, "proved": True, "share": 1.0,
        "own_share": 1.0, "solves": 10, "seconds": 1.0, "share_solving": 0.9, "status": "feasible",
        "bound": 4998.0, "flat": True,
    }  # fmt: skip
    return Row(dataset=dataset, method=method, **(given | values))


def test_direct_must_win_everywhere():
    iris = [row_with(DIRECT), row_with(ONE_START, delta=4)]
    wine = [row_with(DIRECT, "wine"), row_with(ONE_START, "wine")]
    assert larger_delta(iris, ONE_START, "here").verdict == "agrees"
    assert larger_delta([*iris, *wine], ONE_START, "here").verdict == "differs"
    assert larger_delta(iris, "kkt", "here").verdict == "cannot be compared"


def test_direct_must_cost_more_in_seconds_and_in_solves():
    local = row_with(ONE_START, seconds=0.5, solves=5)
    assert dearer([row_with(DIRECT), local], ONE_START).verdict == "agrees"
    assert dearer([row_with(DIRECT), replace(local, seconds=2.0)], ONE_START).verdict == "differs"
    assert dearer([row_with(DIRECT), replace(local, solves=20)], ONE_START).verdict == "differs"


def test_where_fmincon_ends_is_judged_run_by_run():
    still = [row_with(name, eps=0.0, delta=0) for name in FMINCONS]
    judged = [claim.verdict for claim in stationary_claims([row_with(DIRECT), *still])]
    assert judged == ["agrees", "agrees", "cannot be compared"]
    moved = [row_with(name, flat=False) for name in FMINCONS]
    judged = [claim.verdict for claim in stationary_claims([row_with(DIRECT), *moved])]
    assert judged == ["differs", "differs", "cannot be compared"]


def test_runs_that_solve_either_problem_are_counted():
    rows = [row_with(DIRECT), row_with(ONE_START, share=0.5)]
    second = [replace(row, problem="BL2", share=0.9) for row in rows]
    assert "(BL1) 1 of 2, (BL2) 0 of 2" in harder([*rows, *second]).measured


def test_costs_are_judged_by_their_shares():
    assert main_cost([row_with(DIRECT)], DIRECT, "here").verdict == "agrees"
    assert main_cost([row_with(DIRECT, share_solving=0.4)], DIRECT, "here").verdict == "differs"
    assert cost_claims([Cost("iris", "ssnal", 1.0, 0.01)])[0].verdict == "agrees"
    assert cost_claims([Cost("iris", "ssnal", 1.0, 0.1)])[0].verdict == "differs"
    assert [(cost.lower, cost.solving > 0) for cost in costs([IRIS], 2)] == [
        ("ssnal", True),
        ("exact", True),
    ]


def test_sizes_and_ranges_are_compared():
    rows = [row_with(DIRECT, n=100, K=3)]
    by = {claim.claim: claim for claim in claims_of(rows, [IRIS], PAPER_ROWS)}
    assert by["n, the number of points."].verdict == "agrees"
    assert by["K, the number of clusters at eps = 0."].verdict == "differs"
    name = "Perturbations do not exceed roughly 30% of the feature's range."
    assert by[name].verdict == "cannot be compared"
    assert "iris 47%" in by[name].measured  # 8 of 17 mm


def test_the_papers_rows_of_two_clusters():
    judged = [form_claim(row).verdict for row in PAPER_ROWS if row.K == 2]
    lost = "cannot be compared"  # how many clusters there are then is not said
    assert judged == [lost, lost, "agrees", lost]
    assert form_claim(replace(PAPER_ROWS[0], delta=4992)).verdict == "agrees"


def test_flat_is_inside_a_piece_or_at_an_end_like_its_piece():
    a, b = np.array([0, 0]), np.array([0, 1])
    stairs = ParametricPath(
        -1.0, 1.0, tuple(map(Fraction, (-1, 0, 1))), np.array([a, b]), np.array([a, b, a])
    )
    assert [is_flat(stairs, eps) for eps in (-1.0, -0.5, 0.0, 0.5, 1.0)] == [
        True, True, False, True, False,
    ]  # fmt: skip


def test_a_data_set_that_cannot_be_read_is_left_out_and_named(monkeypatch, tmp_path):
    def load(name):
        if name == "wine":
            raise DatasetError("no wine")
        return load_dataset(name)

    monkeypatch.setattr("bilad.scripts.settings.load_dataset", load)
    monkeypatch.setattr(table1, "entries", lambda setting, sizes: entries(setting, sizes)[:3])
    sizes = replace(SMALL, datasets=("iris", "wine"))
    section = table1.table1(Bench(tmp_path, 0, lambda text, done, total: None), sizes)
    assert "wine is omitted: no wine" in section.blocks[0].text
    names = {
        "runs.csv",
        "costs.csv",
        "answers.png",
        "answers.svg",
        "rows",
    }
    assert {path.name for path in tmp_path.iterdir()} == names
    claimed = [claim.verdict for claim in section.claims]
    assert {"agrees", "differs", "cannot be compared"} == set(claimed)
