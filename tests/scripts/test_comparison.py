"""A list of runs gives a table: own and closed values, failures, resumption, and bad input."""

import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.cluster import KMeans

from bilad.formulations.schedule import Schedule
from bilad.models import (
    ArgumentError,
    BlackBox,
    ConvexClustering,
    FusionGraph,
    MaxDeviation,
    MinPerturbation,
    Perturbation,
    chosen_pairs,
)
from bilad.scripts import comparison
from bilad.scripts.attack_runs import Variant
from bilad.scripts.comparison import Run, compare, fingerprint, runs
from bilad.scripts.known_problems import known_problems
from bilad.solvers import attack

INF = float("inf")
KNOWN = list(known_problems().values())[:2]  # two points on a line, 2.5 apart, that merge at 1
PROBLEMS = {one.name: one.problem for one in KNOWN}
OPTIMA = {one.name: one.optimum for one in KNOWN}
BL1, BL2 = PROBLEMS.values()
CORNERS = Variant("corners", "corners", {"corners": 4})
RANDOM = Variant("one", "random", {"corners": 1})


def cloud(gamma=0.3, weight=1.0, p=2, moved=(0, 1), budget=1.0, shift=0.0, skip=0, pair=None):
    data = np.random.default_rng(0).normal(size=(6, 2)) + shift
    edges = np.delete(FusionGraph.complete(6).edges, skip, axis=0)
    model = ConvexClustering(data, FusionGraph(6, edges, np.full(14, weight)), gamma, p)
    counted = "delta" if pair is None else chosen_pairs([pair])
    return MaxDeviation(model, Perturbation.additive((6, 2), moved), budget, deviation=counted)


def test_own_and_closed_values_stand_beside_each_other():
    """The grid misses the step of (BL2), which closing bisects."""
    variants = [Variant("grid", "direct", {"step": 0.4}), CORNERS]
    table = compare(runs(PROBLEMS, variants, optima=OPTIMA, closing="ray"))
    assert list(table.problem) == [name for name in PROBLEMS for _ in variants]
    assert list(table.label) == ["grid", "corners"] * 2
    grid = table[(table.sense == "min") & (table.label == "grid")].iloc[0]
    assert grid.own_share < 0.999 < grid.closed_share <= 1 + 1e-9
    assert grid.closed == pytest.approx(1.5, rel=1e-6)
    assert grid.closing_solves > 0
    assert 0 < grid.closing_seconds < grid.seconds
    assert (grid.history[-1][2], grid.history[-1][0]) == (grid.own, grid.solves)
    assert table.own_share[table.sense == "max"].tolist() == [1.0, 1.0]
    assert set(table.status) == {"feasible"}


def test_without_closing_there_is_no_closed_value():
    row = compare([Run(BL1, "corners")]).iloc[0]
    assert np.isnan([row.closed, row.closed_share, row.optimum]).all()
    assert (row.best, row.own_share) == (2.0, 1.0)  # the best that is known
    assert row.closing_solves == 0


def test_shares_are_of_the_best_of_all_runs_where_no_optimum_is_known():
    problems = {"cloud": cloud(), "still": cloud(budget=1e-6)}
    table = compare(runs(problems, [RANDOM, CORNERS], seeds=(0, 1), closing="ray"))
    cloudy, still = table[table.problem == "cloud"], table[table.problem == "still"]
    assert cloudy[["own_share", "closed_share"]].max(axis=None) == 1.0
    assert cloudy.best.nunique() == 1
    assert still.own_share.isna().all()
    assert (still.own == 0).all()


@pytest.mark.parametrize("method", ["kkt", "value-function"])
def test_a_reformulation_reports_its_parts_and_only_its_stages_count(method):
    options = {"schedule": Schedule.of((1.0, 0.1), (1.0, 0.1)), "contraction": "observed"}
    row = compare([Run(cloud(), method, options, closing="ray")]).iloc[0]
    found = attack(cloud(), method, bound="none", closing="ray", **options)
    assert row.own == found.own.deviation
    assert row.closed == found.deviation
    parts = (row.build, row.opening, row.ipopt, row.lower)
    assert min(parts) > 0
    assert sum(parts) < row.seconds
    assert row.contraction == "observed"
    assert row.blocks >= 2
    assert row.iterations == sum(stage.iterations for stage in found.stages)
    if row.own:
        assert row.history[-1][2] == row.own
        assert row.history[0][1] >= row.build + row.opening


def test_a_refusal_and_a_failure_are_rows(monkeypatch):
    def broken(*arguments, **options):
        raise RuntimeError("out of luck")

    (refused,) = compare([Run(cloud(), "milp", closing="ray")]).itertuples()
    assert (refused.status, refused.own, refused.closed) == ("refused", 0.0, 0.0)
    monkeypatch.setattr(comparison, "attack", broken)
    table = compare([Run(one, "corners", closing="ray") for one in (BL1, BL2)])
    assert set(table.status) == {"error: RuntimeError: out of luck"}
    assert table.own.tolist() == table.closed.tolist() == [0.0, INF]


def test_an_attack_without_proof_is_none(monkeypatch):
    found = attack(BL1, "corners", corners=2, closing="none")
    assert found.deviation == 2
    monkeypatch.setattr(type(found), "proved", property(lambda self: False))
    monkeypatch.setattr(comparison, "attack", lambda *arguments, **options: found)
    row = compare([Run(BL1, "corners", closing="ray")]).iloc[0]
    assert (row.own, row.closed) == (0.0, 0.0)


def test_an_interrupted_list_keeps_what_is_finished_and_goes_on(tmp_path, monkeypatch):
    planned, solve, asked = runs(PROBLEMS, [CORNERS, RANDOM]), comparison.attack, []

    def stopped(problem, method, *arguments, **options):
        asked.append(method)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return solve(problem, method, *arguments, **options)

    monkeypatch.setattr(comparison, "warm_up", lambda method: None)
    monkeypatch.setattr(comparison, "attack", stopped)
    with pytest.raises(KeyboardInterrupt):
        compare(planned, tmp_path)
    said = []
    table = compare(planned, tmp_path, say=said.append)
    assert asked == ["corners", "random", "corners", "corners", "random"]
    assert len(said) == 2
    again = compare(planned, str(tmp_path))
    assert len(asked) == 5
    assert str(again.to_dict("records")) == str(table.to_dict("records"))  # NaN is not NaN


def test_ctrl_c_within_an_attack_is_no_row(monkeypatch):
    found = replace(attack(BL1, "corners"), termination="interrupted")
    monkeypatch.setattr(comparison, "attack", lambda *arguments, **options: found)
    with pytest.raises(KeyboardInterrupt):
        compare([Run(BL1, "corners")])


@pytest.mark.parametrize(
    "other",
    [
        {"gamma": 0.31}, {"weight": 1.01}, {"p": 1}, {"moved": (0, 2)}, {"budget": 1.01},
        {"shift": 0.01}, {"skip": 1}, {"pair": (0, 1)},
    ],
    ids=str,
)  # fmt: skip
def test_rows_of_another_problem_are_not_taken(other, tmp_path):
    assert fingerprint(cloud()) == fingerprint(cloud())
    assert fingerprint(cloud()) != fingerprint(cloud(**other))
    first = Run(cloud(), "corners", name="mine")
    assert first.text == Run(cloud(), "corners", name="mine").text
    assert first.text != replace(first, problem=cloud(**other)).text


def test_a_fingerprint_does_not_depend_on_use():
    problem = cloud()
    before = fingerprint(problem)
    attack(problem, "hypergradient", max_solves=5)
    assert fingerprint(problem) == before
    boxes = [
        MaxDeviation(BlackBox(problem.model.data, KMeans(k)), problem.perturbation, 1.0)
        for k in (2, 2, 3)
    ]
    same, again, other = map(fingerprint, boxes)
    assert same == again != other
    assert fingerprint(cloud(pair=(0, 1))) != fingerprint(cloud(pair=(0, 2)))


def test_settings_hold_every_option():
    schedules = [Schedule.of((t,), (1.0,)) for t in (1.0, 2.0)]
    options = [
        {"schedule": schedules[0]}, {"schedule": schedules[1]}, {"start": np.array([0.5])},
        {"start": [0.25]}, {"ipopt_options": {"tol": 1e-3}}, {},
    ]  # fmt: skip
    texts = {Run(BL1, "kkt", own).text for own in options}
    assert len(texts) == len(options)
    assert all(json.loads(text)["method"] == "kkt" for text in texts)
    assert Run(BL1, "kkt", {"start": np.array([0.5])}).text == Run(BL1, "kkt", options[2]).text


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"problem": "iris"}, "problem: got str"),
        ({"method": "simplex"}, "method: got 'simplex'"),
        ({"options": ["starts"]}, "options: got list"),
        ({"options": {"start_s": 3}}, "options of 'kkt': got 'start_s'"),
        ({"options": {"relaxation": "magic"}}, "relaxation: got 'magic'"),
        ({"options": {"starts": 0}}, "starts: got 0"),
        ({"seed": -1}, "seed: got -1"),
        ({"seed": 0.5}, "seed"),
        ({"time_limit": -1.0}, "time_limit"),
        ({"max_solves": 2.5}, "max_solves"),
        ({"closing": "always"}, "closing: got 'always'"),
        ({"optimum": 0.0}, "optimum"),
        ({"label": 3}, "label: got int"),
        ({"name": 3}, "name: got int"),
    ],
)
def test_a_wrong_run_is_refused_before_any_work(given, message):
    with pytest.raises(ArgumentError, match=message):
        Run(**{"problem": BL1, "method": "kkt", **given})


@pytest.mark.parametrize(
    ("planned", "message"),
    [
        ([Run(BL1, "corners"), "corners"], "runs: got str"),
        ([Run(BL1, "corners", name="a"), Run(BL2, "corners", name="a")], "'a' for two problems"),
        ([Run(BL1, "corners", label="a"), Run(BL1, "random", label="a")], "label: got 'a' twice"),
    ],
)
def test_a_wrong_list_is_refused_before_any_work(planned, message, monkeypatch):
    monkeypatch.setattr(comparison, "attack", None)
    with pytest.raises(ArgumentError, match=message):
        compare(planned)


def test_an_empty_list_is_an_empty_table(tmp_path):
    assert len(compare([])) == 0
    assert len(compare([], tmp_path)) == 0


def test_names_are_written_from_the_content():
    one = Run(MinPerturbation(BL1.model, BL1.perturbation, 2.0), "kkt", {"starts": 3})
    assert one.label == "kkt starts=3"
    assert one.name.startswith("MinPerturbation ")
    table = compare([Run(BL1, "corners"), Run(BL1, "corners", seed=1), Run(BL2, "corners")])
    assert table.problem.nunique() == 2
