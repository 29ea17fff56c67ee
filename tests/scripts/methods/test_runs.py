"""Runs of the comparison of methods: each alone, and stored in a table that is resumed."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from bilad.scripts.instances import Instance
from bilad.scripts.methods import runs
from bilad.scripts.methods.rows import REFERENCE, RunSettings
from bilad.scripts.methods.runs import read_rows, run, run_all
from bilad.solvers.upper import UPPER_METHODS

IRIS = Instance("entries", "iris", "entries", 5, "inf", "BL1")
RAY = Instance("table1", "iris", "shift", 1, "2", "BL1")
CLOCKED = {"seconds": 0.0, "seconds_solving": 0.0, "improvements": ""}


def settings(method="random", instance=IRIS, seed=0, solves=25, seconds=20.0, **options):
    return RunSettings(instance, method, seed, solves, seconds, options)


@pytest.mark.parametrize("method", ["corners", "random", "direct"])
def test_a_run_is_a_function_of_its_settings(method):
    one, two = run(settings(method)), run(pickle.loads(pickle.dumps(settings(method))))
    assert str(replace(one, **CLOCKED)) == str(replace(two, **CLOCKED))  # NaN is not NaN
    assert [(s, v) for s, _, v in one.moments()] == [(s, v) for s, _, v in two.moments()]
    assert RunSettings.of_text(one.settings) == settings(method)


def test_a_run_reports_what_the_lower_level_says():
    row = run(settings())
    assert (row.instance, row.method, row.seed, row.n) == (IRIS.name, "random", 0, 100)
    assert row.solves == 25
    assert row.status == "solve limit"
    assert 0 < row.seconds_solving <= row.seconds
    moments = row.moments()
    assert moments[-1][2] == row.value > 0
    assert [m[0] for m in moments] == sorted(m[0] for m in moments)
    assert [m[2] for m in moments] == sorted(m[2] for m in moments)


def test_restarts_end_where_nothing_new_is_asked():
    row = run(settings(instance=RAY, solves=100))  # the ray has two corners
    assert (row.solves, row.starts) == (2, 1)
    assert row.status == "feasible"


@pytest.mark.parametrize(("k", "solves", "most"), [(1, 101, 101), (5, 300, 243)])
def test_the_lattice_of_a_direct_search_is_as_fine_as_its_budget(k, solves, most):
    instance = RAY if k == 1 else replace(IRIS, k=k)
    row = run(settings("direct", instance, solves=solves))
    assert most - 1 <= row.solves <= most  # eps = 0 costs nothing
    assert row.status == "feasible"


def test_a_method_with_starts_is_restarted_from_random_ones(monkeypatch):
    given = []
    solve = runs.attack

    def recorded(problem, method, *arguments, **options):
        given.append(options.get("start"))
        return solve(problem, "random", *arguments, corners=3, closing="none")

    monkeypatch.setattr(runs, "attack", recorded)
    monkeypatch.setattr(runs, "warm_up", lambda method: None)
    run(settings("kkt", solves=9))
    assert given[0] is None
    assert len(given) >= 3
    assert not np.array_equal(given[1], given[2])


def test_closing_along_the_ray_is_not_counted_and_stands_beside():
    bl2 = replace(RAY, question="BL2")
    row = run(settings("direct", bl2, solves=41))
    assert row.solves < 41
    assert row.closed < row.value  # a grid is coarser than a bisection
    assert row.closed == pytest.approx(run(settings("exact", bl2)).value, rel=1e-5)
    assert row.moments()[-1][2] == pytest.approx(row.value)


def test_a_refusal_and_a_break_are_rows(monkeypatch):
    refused = run(settings("direct", replace(IRIS, k=20)))
    assert refused.status.startswith("refused: ")
    assert not refused.taken

    def broken(*arguments, **options):
        raise RuntimeError("out of luck")

    monkeypatch.setattr(runs, "attack", broken)
    for question, value in (("BL1", 0.0), ("BL2", float("inf"))):
        row = run(settings(instance=replace(RAY, question=question)))
        assert row.status == "error: RuntimeError: out of luck"
        assert (row.value, row.closed, row.solves) == (value, value, 0)


def test_ctrl_c_is_no_row(monkeypatch):
    found = replace(runs.attack(IRIS.problem(), "random", corners=1), termination="interrupted")
    monkeypatch.setattr(runs, "attack", lambda *arguments, **options: found)
    with pytest.raises(KeyboardInterrupt):
        run(settings())


def test_the_optimum_over_a_ray_is_a_row():
    row = run(settings(REFERENCE, RAY, 0, None, None, points=41))
    assert (row.value, row.status) == (4998, "optimal")
    assert row.solves > 41
    assert row.seconds == row.seconds_solving > 0


@pytest.mark.parametrize("method", UPPER_METHODS)
def test_every_runs_or_refuses(method, monkeypatch):
    monkeypatch.setattr(runs, "warm_up", lambda method: None)
    row = run(
        settings(method, Instance("edges", "iris", "edges", 5, "inf", "BL1"), solves=4, seconds=0.5)
    )
    assert not row.status.startswith("error")
    assert row.solves <= 4


PLAN = [RunSettings(IRIS, method, 0, 5, 10.0) for method in ("random", "direct", "corners")]


def quiet(text):
    pass


def test_rows_are_read_as_they_were_written(tmp_path):
    rows = run_all(PLAN, tmp_path / "runs.csv", quiet)
    assert str(read_rows(tmp_path / "runs.csv")) == str(rows)  # NaN is not NaN
    assert read_rows(tmp_path / "none.csv") == []


def test_a_comparison_goes_on_where_it_was_killed(tmp_path, monkeypatch):
    path, solve, asked = tmp_path / "runs.csv", runs.run, []

    def once(settings):
        asked.append(settings.method)
        if asked == ["random", "direct"]:
            raise KeyboardInterrupt
        return solve(settings)

    monkeypatch.setattr(runs, "run", once)
    with pytest.raises(KeyboardInterrupt):
        run_all(PLAN, path, quiet)
    assert [row.method for row in read_rows(path)] == ["random"]
    path.unlink()  # a kill leaves no table, and half a line of the process's own rows
    (own,) = (tmp_path / "rows").iterdir()
    with own.open("a") as file:
        file.write('1.5,"{""instance"": {""da')
    with pytest.warns(UserWarning, match="incomplete"):
        rows = run_all(PLAN, path, quiet)
    own.unlink()  # its row is in the table by now
    assert asked == ["random", "direct", "direct", "corners"]
    assert [row.method for row in rows] == ["random", "direct", "corners"]
    assert str(read_rows(path)) == str(rows)
    run_all(PLAN, path, quiet)
    assert len(asked) == 4


@pytest.mark.slow
def test_rows_come_in_the_order_of_the_plan_from_several_processes(tmp_path):
    rows = run_all(PLAN, tmp_path / "runs.csv", quiet, jobs=2)
    assert [row.settings for row in rows] == [one.text for one in PLAN]
    alone = run_all(PLAN, tmp_path / "alone.csv", quiet)
    assert [(r.value, r.solves, r.status) for r in rows] == [
        (r.value, r.solves, r.status) for r in alone
    ]
