"""What kills a process or a worker costs no finished run, and Dask gives what one machine gives."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

from bilad.scripts.experiments.runner import run_experiment
from bilad.scripts.experiments.specification import read_specification
from bilad.scripts.experiments.store import Store

RESULT = ["problem", "label", "seed", "status", "termination", "own", "closed", "bound", "solves"]
# More of both are for a machine that has the time.
KILLS = int(os.environ.get("BILAD_KILLS", "2"))
RUNS = int(os.environ.get("BILAD_RUNS", "24"))
SPECIFICATION = """
closing = "ray"
limits.solves = 20
data.line = {kind = "clouds", points = 9, dimension = 1}
models.cc = {kind = "convex clustering", gamma = 2.4, weight = "1/n"}
perturbations.two = {kind = "entries", points = 2}
methods = {corners = {}, random = {}}
[[problems]]
data = "line"
models = "cc"
perturbations = "two"
norms = [inf]
budgets = [1.0, 3.0]
"""
SWEEP = [sys.executable, "-m", "bilad.scripts.cli", "sweep"]


@pytest.fixture
def specification(tmp_path):
    path = tmp_path / "line.toml"
    path.write_text(f"seeds = {RUNS // 4}\n{SPECIFICATION}")
    return path


def stored(path):
    """Return the keys in a store, none if it is not there yet."""
    if not path.is_file():
        return set()
    with Store(path) as base:
        return {row.key for row in base.rows()}


@pytest.mark.slow
def test_a_sweep_that_is_killed_at_random_moments_is_resumed(specification, tmp_path):
    store, moments = tmp_path / "rows.sqlite", random.Random(0)
    keys = {run.key for run in read_specification(specification).runs}
    command = [*SWEEP, str(specification), "--store", str(store), "--resume"]
    before: set[str] = set()
    for _ in range(KILLS):
        sweep = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
        wanted = len(before) + moments.randrange(2 * RUNS // (KILLS + 1))
        while len(stored(store)) < wanted and sweep.poll() is None:
            time.sleep(0.01)
        time.sleep(moments.uniform(0.0, 0.1))
        os.kill(sweep.pid, signal.SIGKILL)
        assert sweep.wait() == -signal.SIGKILL
        with Store(store) as base:
            now = {row.key for row in base.rows()}
            assert base._base.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert before <= now <= keys
        before = now
    sweeps = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [sweep.wait(timeout=600) for sweep in sweeps] == [0, 0]
    with Store(store) as base:
        rows = base.rows()
    assert sorted(row.key for row in rows) == sorted(keys)


@pytest.fixture
def cluster(tmp_path):
    """A scheduler and two workers in processes of their own: the address and the workers."""
    pytest.importorskip("distributed")
    file = tmp_path / "scheduler.json"
    common = ["--scheduler-file", str(file), "--no-dashboard"]

    def started(name, *more):
        command = [sys.executable, "-m", f"distributed.cli.dask_{name}", *common, *more]
        return subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=tmp_path)

    scheduler = started("scheduler", "--port", "0")
    workers = [started("worker", "--nthreads", "1", "--no-nanny") for _ in range(2)]
    while not file.is_file():
        assert scheduler.poll() is None
        time.sleep(0.1)
    yield json.loads(file.read_text())["address"], workers
    for process in (*workers, scheduler):
        process.kill()
        process.wait()


@pytest.mark.slow
def test_dask_gives_what_one_machine_gives_though_a_worker_is_killed(specification, cluster):
    address, workers = cluster
    killed = []

    def kill_one(row, done, total):
        if not killed and done > total // 4:
            workers[0].kill()
            killed.append(workers[0].wait())

    spread = run_experiment(specification, scheduler=address, on_row=kill_one)
    assert killed == [-signal.SIGKILL]
    pd.testing.assert_frame_equal(spread[RESULT], run_experiment(specification)[RESULT])
