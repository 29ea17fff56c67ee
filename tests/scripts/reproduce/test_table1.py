"""Table 1: rows recomputed by brute force, and the verdicts for given rows."""

from fractions import Fraction
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from bilad.models import DatasetError, load_dataset
from bilad.scripts.experiments.fingerprint import fingerprint
from bilad.scripts.experiments.run import carry_out
from bilad.scripts.experiments.specification import read_specification
from bilad.scripts.experiments.table import table_of
from bilad.scripts.reproduce import table1
from bilad.scripts.reproduce.ray import Ray, ray_of
from bilad.scripts.reproduce.section import Bench
from bilad.scripts.reproduce.table1 import (
    DIRECT,
    FMINCONS,
    _of_paper,
    claims_of,
    rows_of,
    specification,
)
from bilad.scripts.settings import SETTINGS, readable_settings
from bilad.solvers import cluster
from bilad.solvers.clustering.parametric.parametric_path import ParametricPath
from bilad.solvers.upper import REFORMULATIONS

IRIS = SETTINGS["iris"]
ONE_START = "fmincon, one start"


def few(datasets, seed, quick):
    """Return the specification with three methods."""
    given = specification(datasets, seed, quick)
    methods = {name: given["methods"][name] for name in ("exact", DIRECT, ONE_START)}
    return given | {"methods": methods}


@pytest.fixture(scope="module")
def rows():
    runs = read_specification(few(["iris"], 0, True)).runs
    return rows_of(table_of(map(carry_out, runs)), [ray_of(IRIS)])


def test_the_problems_of_the_study_are_those_of_the_settings():
    settings = readable_settings()
    runs = read_specification(specification(list(settings), 0, False)).runs
    assert {run.fingerprint for run in runs} == {
        fingerprint(problem)
        for setting in settings.values()
        for problem in (setting.max_deviation(), setting.min_perturbation())
    }
    assert {run.base for run in runs} > {DIRECT, *FMINCONS, *REFORMULATIONS}
    quick = read_specification(specification(["iris"], 7, True)).runs
    assert not {run.base for run in quick} & set(REFORMULATIONS)
    assert {(run.seed, run.names["data"]) for run in quick} == {(7, "iris")}


def test_rows_are_what_the_lower_level_says(rows):
    model, shift = IRIS.model(), IRIS.shift()
    before = cluster(model).labels
    found = rows[rows.eps.notna()]
    assert set(found.method) >= {"exact", DIRECT}
    for row in found.itertuples():
        after = cluster(shift.apply(model, row.eps)).labels
        pairs = combinations(range(100), 2)
        wrong = sum((before[i] == before[j]) != (after[i] == after[j]) for i, j in pairs)
        assert row.delta == 2 * wrong
        assert row.N_chg == np.count_nonzero(before != after)
        assert (row.n, row.K) == (100, 2)
        assert row.own == (row.delta if row.question == "BL1" else abs(row.eps))


def test_gaps_are_to_the_optimum(rows):
    by = rows.set_index(["question", "method"])
    assert by.gap["BL1", "exact"] == 0
    assert by.status["BL2", "exact"] == "optimal"
    assert by.delta["BL1", ONE_START] == by.delta["BL2", ONE_START] == 0  # delta is flat at 0
    assert by.gap["BL1", ONE_START] == 1


def test_flat_is_inside_an_interval_or_at_an_end_like_its_interval():
    a, b = np.array([0, 0]), np.array([0, 1])
    ends = tuple(map(Fraction, (-1, 0, 1)))
    stairs = ParametricPath(-1.0, 1.0, ends, np.array([a, b]), np.array([a, b, a]))
    ray = Ray(IRIS, stairs, pd.DataFrame())
    found = [_of_paper(ray, [eps])["flat"] for eps in (-1.0, -0.5, 0.0, 0.5, 1.0)]
    assert found == [True, True, False, True, False]
    assert _of_paper(ray, [1 + 1e-12])["delta"] == 2  # within the tolerance of the budget


def bl1(*rows):
    """Return rows of (BL1): a method with values that replace those of a typical one."""
    typical = {
        "question": "BL1", "data": "iris", "n": 100, "K": 2, "eps": -2.0, "delta": 4998,
        "solves": 10, "seconds": 1.0, "lower": 0.9, "flat": True,
    }  # fmt: skip
    return pd.DataFrame([{**typical, "method": method, **values} for method, values in rows])


def verdicts(*rows):
    """Return the verdicts by the text of the claim."""
    return {claim.claim: claim.verdict for claim in claims_of(bl1(*rows))}


def test_direct_must_win_everywhere():
    claim = f"On every data set, direct search finds a larger delta than a local NLP ({ONE_START})."
    still = (ONE_START, {"delta": 0, "eps": float("nan")})
    wine = [(name, {"data": "wine"}) for name in (DIRECT, ONE_START)]
    assert verdicts((DIRECT, {}), still)[claim] == "agrees"
    assert verdicts((DIRECT, {}), still, *wine)[claim] == "differs"
    assert verdicts((DIRECT, {}), ("kkt", {}))[claim] == "cannot be compared"


@pytest.mark.parametrize(
    ("other", "verdict"),
    [({"seconds": 0.5, "solves": 5}, "agrees"), ({"solves": 5}, "differs"), ({}, "differs")],
)
def test_direct_must_cost_more_in_seconds_and_in_solves(other, verdict):
    found = verdicts((DIRECT, {}), (ONE_START, other))
    assert found["Direct search takes more time than fmincon."] == verdict


@pytest.mark.parametrize(
    ("other", "verdict"),
    [
        ({"eps": -3.0}, "agrees"),
        ({"eps": float("nan")}, "agrees"),
        ({"eps": -3.0, "flat": False}, "differs"),
        ({}, "differs"),
    ],
)
def test_where_fmincon_ends_is_judged_run_by_run(other, verdict):
    claim = "fmincon finds another eps than direct search, a stationary point of (BL1)."
    assert verdicts((DIRECT, {}), (ONE_START, other))[claim] == verdict


def test_sizes_and_costs_are_judged():
    sizes = "n, the number of points, and K, the number of clusters at eps = 0."
    cost = "The main cost of direct search is the lower level."
    other = (ONE_START, {})
    found = verdicts((DIRECT, {}), other)
    assert (found[sizes], found[cost]) == ("agrees", "agrees")
    found = verdicts((DIRECT, {"K": 3, "lower": 0.4}), other)
    assert (found[sizes], found[cost]) == ("differs", "differs")


def test_a_data_set_that_cannot_be_read_is_left_out_and_named(monkeypatch, tmp_path):
    def load(name):
        if name == "wine":
            raise DatasetError("no wine")
        return load_dataset(name)

    monkeypatch.setattr("bilad.scripts.settings.load_dataset", load)
    monkeypatch.setattr(table1, "specification", few)
    here = SimpleNamespace(carry_out=carry_out, close=lambda: None)
    monkeypatch.setattr("bilad.scripts.experiments.runner.Worker", lambda: here)
    moved = []
    bench = Bench(tmp_path, 0, True, lambda text, done, total: moved.append(done))
    section = table1.run(bench)
    assert "wine is omitted: no wine" in section.blocks[0].text
    assert [set(table.rows.data) for table in section.blocks[1:3]] == [{"iris"}] * 2
    assert moved == list(range(1, 7))
    again = table1.run(bench)  # the store has all runs
    assert len(moved) == 6
    assert again.claims == section.claims
    monkeypatch.setattr(table1, "versions", lambda: {"code": "another"})
    table1.run(bench)
    assert len(moved) == 12
