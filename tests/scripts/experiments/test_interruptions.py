"""What kills a process or a worker costs no finished run, and Dask gives what one machine gives."""

import json
import multiprocessing
import random
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

from bilad.scripts.experiments import runner
from bilad.scripts.experiments.runner import run_experiment
from bilad.scripts.experiments.specification import read_specification
from bilad.scripts.experiments.store import Store

RESULT = ["problem", "label", "seed", "status", "termination", "own", "closed", "bound", "solves"]
SPECIFICATION = """
closing = "ray"
limits.solves = 20
data.line = {kind = "clouds", points = 9, dimension = 1}
models.cc = {kind = "convex clustering", gamma = 2.4, weight = "1/n"}
perturbations.two = {kind = "additive", points = 2}
methods = {corners = {}, random = {}}
[[problems]]
data = "line"
models = "cc"
perturbations = "two"
norms = [inf]
budgets = [1.0, 3.0]
"""


@pytest.fixture
def specified(tmp_path):
    """Write a specification of so many runs, a multiple of four, and return its path."""

    def write(runs):
        path = tmp_path / "line.toml"
        path.write_text(f"seeds = {runs // 4}\n{SPECIFICATION}")
        return path

    return write


@pytest.mark.parametrize(
    ("kills", "at_once", "runs"), [(2, 2, 80), pytest.param(50, 4, 1000, marks=pytest.mark.slow)]
)
def test_sweeps_that_are_killed_at_random_moments_are_resumed(
    specified, tmp_path, kills, at_once, runs
):
    """Several sweeps write to one store; each that is killed is started again."""
    specification, store = specified(runs), tmp_path / "rows.sqlite"
    keys, moments = {run.key for run in read_specification(specification).runs}, random.Random(0)
    server = multiprocessing.get_context("forkserver")  # a start without importing all again
    server.set_forkserver_preload([runner.__name__])

    def start():
        sweep = server.Process(target=run_experiment, args=(specification, store))
        sweep.start()
        return sweep

    Store(store).close()
    sweeps, before, codes = [start() for _ in range(at_once)], set(), []
    with Store(store) as base:
        for _ in range(kills):
            wanted = min(len(before) + moments.randrange(6), runs)
            while len(base.finished(keys)) < wanted:
                assert any(sweep.is_alive() for sweep in sweeps)
                time.sleep(0.01)
            time.sleep(moments.uniform(0.0, 0.05))
            sweep = sweeps.pop(moments.randrange(at_once))
            sweep.kill()
            sweep.join()
            codes.append(sweep.exitcode)
            assert base._base.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            now = {row.key for row in base.rows()}
            assert before <= now <= keys
            before = now
            sweeps.append(start())
        # On a busy machine, the runs may be done before the last sweeps could be killed.
        assert set(codes) <= {-signal.SIGKILL, 0}
        assert codes[0] == -signal.SIGKILL
        for sweep in sweeps:
            sweep.join()
        assert [sweep.exitcode for sweep in sweeps] == [0] * at_once
        assert base._base.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert sorted(row.key for row in base.rows()) == sorted(keys)


@pytest.fixture
def cluster(tmp_path):
    """A scheduler and two workers in processes of their own: the address and the processes."""
    pytest.importorskip("distributed")
    file = tmp_path / "scheduler.json"
    common = ["--scheduler-file", str(file), "--no-dashboard"]

    def started(name, *more):
        command = [sys.executable, "-m", f"distributed.cli.dask_{name}", *common, *more]
        return subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=tmp_path)

    scheduler = started("scheduler", "--port", "0")
    workers = [started("worker", "--nthreads", "1", "--no-nanny") for _ in range(2)]
    try:
        while not file.is_file() or not file.read_text().endswith("}"):  # it is being written
            assert scheduler.poll() is None
            time.sleep(0.1)
        yield json.loads(file.read_text())["address"], scheduler, workers
    finally:
        for process in (*workers, scheduler):
            process.kill()
            process.wait()


@pytest.mark.slow
def test_dask_gives_what_one_machine_gives_though_a_worker_is_killed(specified, cluster):
    (address, _, workers), specification, killed = cluster, specified(500), []

    def kill_one(row, done, total):
        if not killed and done > total // 4:
            workers[0].kill()
            killed.append(workers[0].wait())

    spread = run_experiment(specification, scheduler=address, on_row=kill_one)
    assert killed == [-signal.SIGKILL]
    assert len(spread) == 500
    pd.testing.assert_frame_equal(spread[RESULT], run_experiment(specification)[RESULT])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lost", "words"),
    [
        ("workers", "the scheduler has no worker for more than 20 s"),
        ("scheduler", "no scheduler answers"),
        ("stopped", "the scheduler does not answer for more than 20 s"),
    ],
)
def test_what_is_lost_is_named_and_the_sweep_can_be_resumed(
    specified, cluster, tmp_path, monkeypatch, in_process, lost, words
):
    (address, scheduler, workers), specification = cluster, specified(24)
    monkeypatch.setattr(runner, "PATIENCE", 20.0)
    if lost == "workers":  # from the beginning
        for worker in workers:
            worker.kill()
            worker.wait()
    stored = []

    def lose(row, done, total):
        stored.append(row.key)
        if done == 5:
            scheduler.send_signal(signal.SIGKILL if lost == "scheduler" else signal.SIGSTOP)

    store = tmp_path / "rows.sqlite"
    with pytest.raises(OSError, match=words) as error:
        run_experiment(specification, store, scheduler=address, on_row=lose)
    assert error.value.filename == address
    with Store(store) as base:
        assert {row.key for row in base.rows()} == set(stored)
    assert len(run_experiment(specification, store)) == 24
