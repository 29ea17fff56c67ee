"""Runs are carried out once, in processes that can be ended, and give a table."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

from bilad.models import ArgumentError, Ridge, SupportVectorMachine, load_dataset
from bilad.scripts.experiments import runner
from bilad.scripts.experiments import worker as worker_module
from bilad.scripts.experiments.python_file import PythonFile
from bilad.scripts.experiments.run import carry_out
from bilad.scripts.experiments.runner import run_experiment
from bilad.scripts.experiments.specification import read_specification
from bilad.scripts.experiments.store import Store
from bilad.scripts.experiments.worker import Worker
from bilad.solvers import attack, fit

RESULT = ["problem", "label", "seed", "status", "termination", "own", "closed", "bound", "solves"]

OWN_METHOD = """
import ctypes, os, signal
from bilad.solvers import register_method
def prepare(problem, rng, *, how="none"):
    def run(lower, trace):
        if how == "hang":
            ctypes.PyDLL(None).sleep(1000)  # compiled code that holds the interpreter
        if how == "die":
            os.kill(os.getpid(), signal.SIGSEGV)
        os.write(1, b"what a solver prints")
        if how == "raise":
            raise RuntimeError("no luck")
    return run
register_method("own", prepare)
"""


def test_the_table_has_a_row_for_each_run(line, in_process):
    seen = []
    table = run_experiment(line, on_row=lambda row, done, total: seen.append((done, total)))
    assert seen == [(k, 12) for k in range(1, 13)]
    assert list(table.label) == ["corners", "random"] * 6
    first = table.iloc[0]
    run = read_specification(line).runs[0]
    found = attack(run.problem, "corners", 0, None, 12, bound="none", closing="none", corners=200)
    assert first.own == found.deviation
    assert first.eps == found.own.eps.tolist()
    assert (first.n, first.k, first.seed, first.level) == (9, 2, 0, 1.0)
    assert first.history[-1][2] == first.own
    assert (table.gap.dropna() >= 0).all()
    assert (table.groupby("fingerprint").gap.min().dropna() == 0).all()
    assert table.sensitivity.isna().all()


def test_a_target_in_per_cent_is_a_share_of_random_vertices(line, in_process):
    table = run_experiment(line)
    least = table[table.question == "BL2"]
    assert set(least.level) == {0.5}
    assert (least.sense == "min").all()


def test_finished_runs_are_not_repeated(line, in_process, tmp_path, monkeypatch):
    path, asked = tmp_path / "rows.sqlite", []

    def stopped(self, run):
        asked.append(run.key)
        if len(asked) == 5:
            raise KeyboardInterrupt
        return carry_out(run)

    monkeypatch.setattr(runner.Worker, "carry_out", stopped)
    with pytest.raises(KeyboardInterrupt):
        run_experiment(line, path)
    with Store(path) as store:
        assert {row.key for row in store.rows()} == set(asked[:4])
    with pytest.raises(ArgumentError, match="4 of the runs"):
        run_experiment(line, path, resume=False)
    table = run_experiment(line, path)
    assert len(asked) == 13
    assert len(table) == 12
    pd.testing.assert_frame_equal(table[RESULT], run_experiment(line)[RESULT])


@pytest.mark.parametrize("model", ["ridge", "logistic", "svm"])
@pytest.mark.parametrize("deviation", ["changed-predictions", "validation-loss", "distance"])
def test_linear_models_are_attacked(in_process, model, deviation):
    given = {
        "limits": {"solves": 20},
        "data": {"flowers": {"source": "iris", "rows": "40:60", "columns": [2, 3]}},
        "models": {"linear": {"kind": model, "penalty": 0.5, "intercept": True}},
        "perturbations": {"two": {"kind": "additive", "points": 2}},
        "methods": {"corners": {}},
        "problems": [
            {
                "data": "flowers",
                "models": "linear",
                "perturbations": "two",
                "deviations": deviation,
                "budgets": 2.0,
            }
        ],
    }
    (row,) = run_experiment(given).itertuples()
    assert row.status in ("feasible", "no attack found")
    assert deviation != "distance" or row.own > 0


def test_labels_are_flipped_and_counted(in_process):
    given = {
        "limits": {"solves": 40},
        "data": {"flowers": {"source": "iris", "rows": "40:60", "columns": [2, 3]}},
        "models": {"linear": {"kind": "logistic"}},
        "perturbations": {"six": {"kind": "flips", "points": 6}},
        "methods": ["greedy"],
        "problems": [
            {
                "data": "flowers",
                "models": "linear",
                "perturbations": "six",
                "deviations": "distance",
                "norms": "count",
                "budgets": 2,
            }
        ],
    }
    (row,) = run_experiment(given).itertuples()
    assert (row.norm, sorted(row.eps)) == ("count", [0, 0, 0, 0, 1, 1])
    assert row.own > 0


def test_a_split_has_validation_and_test_points(in_process):
    """The deviation is that of the validation points, and the score that of the others."""
    given = {
        "seeds": [3],
        "limits": {"solves": 5},
        "data": {
            "d": {"source": "diabetes", "training": 50, "validation": 40, "standardise": True}
        },
        "models": {"m": {"kind": "ridge", "intercept": True, "target": 10}},
        "perturbations": {"p": {"kind": "additive", "points": 4}},
        "methods": ["corners"],
        "problems": [
            {
                "data": "d",
                "models": "m",
                "perturbations": "p",
                "deviations": ["validation-loss", "changed-predictions", "distance"],
                "budgets": 2.0,
            }
        ],
    }
    table = run_experiment(given)
    order = np.random.default_rng(3).permutation(442)
    rows = load_dataset("diabetes").data[order]
    rows = (rows - rows[:50].mean(axis=0)) / rows[:50].std(axis=0)
    X, y = rows[:, :10], rows[:, 10]
    model = Ridge(X[:50], y[:50], intercept=True)
    for run, row in zip(read_specification(given).runs, table.itertuples(), strict=True):
        moved = run.problem.perturbation.apply(run.problem.model, row.eps or np.zeros(40))
        losses, errors = [], []
        for trained in (fit(model), fit(moved)):
            losses.append(np.mean((trained.decision_function(X[50:90]) - y[50:90]) ** 2) / 2)
            errors.append(np.mean((trained.decision_function(X[90:]) - y[90:]) ** 2))
        assert (row.clean_score, row.score) == pytest.approx(tuple(errors))
        if row.deviation == "validation-loss":
            assert row.own == pytest.approx(losses[1] - losses[0])
            assert row.own > 0
    assert len(set(table.fingerprint)) == 3


def test_the_score_of_a_classifier_is_the_share_of_false_labels(in_process):
    given = {
        "limits": {"solves": 5},
        "data": {"d": {"source": "breast-cancer", "training": 60, "validation": 0}},
        "models": {kind: {"kind": kind} for kind in ("ridge", "svm")},
        "perturbations": {"p": {"kind": "flips", "points": 3}},
        "methods": ["corners"],
        "problems": [
            {
                "data": "d",
                "models": ["ridge", "svm"],
                "perturbations": "p",
                "deviations": "distance",
                "norms": "count",
                "budgets": 2,
            }
        ],
    }
    found, order = load_dataset("breast-cancer"), np.random.default_rng(0).permutation(569)
    labels = 2.0 * found.labels[order] - 1.0
    for row, kind in zip(
        run_experiment(given).itertuples(), (Ridge, SupportVectorMachine), strict=True
    ):
        model = kind(found.data[order][:60], labels[:60])
        scores = fit(model).decision_function(found.data[order][60:])
        assert row.clean_score == np.mean(np.where(scores >= 0, 1.0, -1.0) != labels[60:])
        assert 0 <= row.score <= 1


def test_an_error_and_a_refusal_are_rows(line, in_process, monkeypatch):
    line["methods"] = {"branching": {}, "corners": {}, "ray": {}}
    monkeypatch.setattr("bilad.scripts.experiments.run.warm_up", lambda method: 1 / 0)
    table = run_experiment(line)
    assert set(table.status[table.base != "corners"]) == {"refused"}
    failures = table[table.base == "corners"]
    assert set(failures.status) == {"error"}
    assert set(failures.termination) == {"error: ZeroDivisionError: division by zero"}
    assert set(failures.own) == {0.0, np.inf}


def test_restarts_use_the_whole_limit(line, in_process):
    line |= {"methods": {"random": {"corners": 3}}, "closing": "ray"}
    line["limits"]["solves"] = 40
    once = run_experiment(line)
    many = run_experiment(line | {"restarts": True})
    assert (many.starts > once.starts).any()
    assert (many.solves <= 40).all()
    assert (many.closed_gap.fillna(0) <= many.gap.fillna(0) + 1e-12).all()
    for history in many.history:
        assert history == sorted(history)


def test_tolerances_and_options_that_vary_give_a_sensitivity(line, in_process):
    line |= {"tolerances": [1e-8, 1e-3]}
    line["methods"] = {"random": {"vary": {"corners": [1, 8]}}}
    table = run_experiment(line)
    some = table[table.gap.notna()]
    spread = some.groupby(["fingerprint", "seed"]).gap.agg(lambda own: own.max() - own.min())
    assert (
        some.groupby(["fingerprint", "seed"])
        .sensitivity.first()
        .equals(spread.rename("sensitivity"))
    )


def test_a_ray_is_evaluated_on_a_grid(line, in_process):
    line["perturbations"]["two"] = {"kind": "shift", "points": [0, 3], "features": [0]}
    line["methods"] = {"ray": {"points": 31}, "exact": {}}
    line["seeds"] = [0]
    ray, exact = (own for _, own in run_experiment(line).groupby("base", sort=False))
    known = (ray.own > 0) & np.isfinite(ray.own)
    np.testing.assert_allclose(ray.own[known], exact.own[known.to_numpy()], rtol=1e-6)
    is_evaluated = ray.status != "error"
    assert all(len(curve) > 2 for curve in ray.curve[is_evaluated])
    assert ray[is_evaluated & (ray.question == "BL1")].shape[0] == 2
    assert list(ray.status[is_evaluated]) == [
        "feasible" if 0 < own < np.inf else "no attack found" for own in ray.own[is_evaluated]
    ]
    refused = ray[~is_evaluated].termination
    assert refused.str.contains("20 random vertices, which is 0").all()  # of a target in per cent


def test_a_ray_without_an_attack_is_not_feasible(line, in_process):
    line["perturbations"]["two"] = {"kind": "shift", "points": [0, 3], "features": [0]}
    line |= {"methods": {"ray": {"points": 5}}, "seeds": [0]}
    line["problems"][0]["budgets"] = 1e-6
    del line["problems"][0]["targets"]
    (row,) = run_experiment(line).itertuples()
    assert (row.own, row.status) == (0.0, "no attack found")


def test_a_target_in_per_cent_is_a_number_in_its_row(line, in_process):
    line["perturbations"]["two"] = {"kind": "additive", "points": 3}
    line["problems"][0] |= {"targets": ["50%", 4], "limit": 6.0}
    own = run_experiment(line)
    own = own[(own.question == "BL2") & (own.status != "error")]
    shares = own.problem.str.contains("50%")
    assert (own.level[shares] == 0.5).all()
    assert (own.target[shares] >= 2).all()
    assert (own.target[~shares] == own.level[~shares]).all()
    assert len(own) > 4


def test_a_bilevel_model_of_a_python_file_is_solved(in_process, tmp_path):
    (tmp_path / "mine.py").write_text(
        "from bilad.scripts.bilevel_problems import problems as published\n"
        "def problems():\n    return dict(list(published().items())[:1])\n"
    )
    path = tmp_path / "spec.toml"
    path.write_text(
        'methods = {kkt = {}, auto = {}, corners = {}}\n[[problems]]\npython = "mine.py"\n'
    )
    kkt, auto, corners = run_experiment(path).itertuples()
    assert kkt.own == pytest.approx(kkt.best, abs=1e-5)
    assert auto.status == "optimal"
    assert abs(auto.gap) < 1e-5
    assert corners.status == "refused"


def test_a_process_that_hangs_or_dies_is_replaced(line, tmp_path, monkeypatch):
    """One process of its own for each fault, and the next run goes on."""
    from bilad.solvers.upper import UPPER_METHODS

    monkeypatch.setattr(UPPER_METHODS, "_known", dict(UPPER_METHODS._known))
    (tmp_path / "own.py").write_text(OWN_METHOD)
    line |= {"seeds": [0], "plugins": [str(tmp_path / "own.py")], "limits": {"kill": 30.0}}
    line["methods"] = {"own": {"vary": {"how": ["raise", "hang", "die", "none"]}}}
    line["problems"][0] = line["problems"][0] | {"budgets": 1.0}
    del line["problems"][0]["targets"]
    raises, hangs, dies, works = read_specification(line).runs
    worker = Worker()
    assert worker.carry_out(raises).termination == "error: RuntimeError: no luck"
    object.__setattr__(hangs, "kill", 3.0)
    row = worker.carry_out(hangs)
    assert (row.status, row.own, row.key) == ("killed", 0.0, hangs.key)
    assert "killed after 3 s" in row.termination
    row = worker.carry_out(dies)
    assert row.status == "error"
    assert "SIGSEGV" in row.termination
    assert worker.carry_out(works).status == "no attack found"
    process = worker._process
    worker._connection.close()  # what the end of the parent does, also within a run
    assert process.wait(timeout=60) == -signal.SIGKILL
    worker.close()


def test_a_process_that_does_not_start_is_ended(monkeypatch):
    monkeypatch.setattr(worker_module, "STARTING", 0.1)
    monkeypatch.setattr(worker_module, "COMMAND", ["sleep", "100"])
    worker = Worker()
    with pytest.raises(worker_module.DiedError, match="of SIGKILL"):
        worker.call(str, None, lives=2)
    assert worker._process.poll() is not None
    worker.close()


def test_a_process_that_a_signal_without_a_name_ends_is_described():
    worker = Worker()
    process = subprocess.Popen([sys.executable, "-c", "import os; os.kill(os.getpid(), 40)"])
    assert worker._death(process) == "of signal 40"
    worker.close()


def test_there_are_no_more_threads_than_runs(line, in_process):
    assert len(run_experiment(line, jobs=10**6)) == 12


def test_a_scheduler_that_does_not_answer_is_named(line):
    pytest.importorskip("distributed")
    with pytest.raises(OSError, match=r"no scheduler answers.*nowhere") as error:
        run_experiment(line, scheduler="nowhere")
    assert error.value.filename == "nowhere"


def test_a_python_file_is_executed_once():
    file = PythonFile("counted.py", "import itertools\ncount = itertools.count()\n")
    assert next(file.names()["count"]) == 0
    assert next(PythonFile(file.name, file.text).names()["count"]) == 1


@pytest.mark.slow
def test_processes_end_when_a_sweep_is_interrupted(line, monkeypatch):
    """Ctrl-C in the middle of a run ends its process at once."""
    started = []
    alive = Worker._alive

    def noted(self):
        started.append(alive(self))
        if len(started) == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return started[-1]

    monkeypatch.setattr(Worker, "_alive", noted)
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_experiment(line)
    assert time.monotonic() - began < 300
    assert all(process.poll() is not None for process in started)
