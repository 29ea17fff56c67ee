"""The soak finds planted mismatches, saves and replays them, and survives deaths and signals."""

import json
import os
import signal
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from bilad.scripts.soak import __main__ as program
from bilad.scripts.soak import attacks, followers, learning, soak
from bilad.scripts.soak.problem_data import problem_of
from bilad.solvers.clustering import comparison


class InProcess:
    """A worker whose calls are in this process, where methods can be replaced."""

    def call(self, work, seconds, lives=1):
        return work()

    def close(self):
        pass


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run the command in this process; the folder of its files is `tmp_path`."""
    monkeypatch.setattr(soak, "Worker", InProcess)
    app = typer.Typer()
    app.command()(program.soak)
    return lambda *given: CliRunner().invoke(
        app, [*map(str, given), "--workers", "1", "--output", str(tmp_path)]
    )


def rows(result):
    """The numbers of the table by check: instances, mismatches, unknowns, deaths."""
    lines = [line.rsplit(maxsplit=5) for line in result.stdout.splitlines()]
    return {line[0].strip(): list(map(int, line[1:5])) for line in lines if line[1:2] == ["1"]}


def drawn(check, index):
    return soak.CHECKS[check].draw(np.random.default_rng([0, index]))


def test_a_few_instances_of_every_check(run, monkeypatch, tmp_path):
    monkeypatch.setattr(attacks, "SOLVES", 20)
    result = run("--instances", 5, "--seed", 2)
    assert result.exit_code == 0, result.output
    table = rows(result)
    assert list(table) == list(soak.CHECKS)
    assert all(row[:2] == [1, 0] and row[3] == 0 for row in table.values())
    assert not list(tmp_path.iterdir())


def test_no_instance_is_begun_when_the_time_is_over(run):
    result = run("--minutes", 0)
    assert (result.exit_code, result.stdout) == (0, "")


def only(monkeypatch, check):
    monkeypatch.setattr(soak, "CHECKS", {check: soak.CHECKS[check]})


def test_a_mismatch_is_found_saved_and_replayed(run, monkeypatch, tmp_path):
    fit = learning.fit
    only(monkeypatch, "learning models")
    with monkeypatch.context() as planted:
        planted.setattr(learning, "fit", lambda model: altered(fit(model)))
        result = run("--instances", 1)
        (path,) = tmp_path.iterdir()
        again = run("--replay", path)
    assert result.exit_code == again.exit_code == 1
    assert rows(result)["learning models"] == rows(again)["learning models"] == [1, 1, 0, 0]
    assert f"--replay {path}" in result.output
    content = json.loads(path.read_text())
    assert content["task"]["instance"] == drawn("learning models", 0)
    assert "below the bound" in content["verdict"]["mismatches"][0]
    mended = run("--replay", path)
    assert mended.exit_code == 0
    assert list(tmp_path.iterdir()) == [path]


def altered(found):
    object.__setattr__(found, "theta", found.theta + 1e-2)
    return found


def test_an_exception_is_a_mismatch(run, monkeypatch):
    only(monkeypatch, "learning models")
    monkeypatch.setattr(learning, "fit", None)
    result = run("--instances", 1)
    assert result.exit_code == 1
    assert "TypeError: 'NoneType' object is not callable" in result.output


def test_a_process_that_dies_is_counted_and_its_instance_is_drawn_again(run, monkeypatch, tmp_path):
    only(monkeypatch, "learning models")
    with monkeypatch.context() as planted:
        planted.setattr(InProcess, "call", dies)
        result = run("--instances", 1)
    assert result.exit_code == 1
    assert rows(result)["learning models"] == [1, 0, 0, 1]
    assert "died of SIGSEGV" in result.output
    (path,) = tmp_path.iterdir()
    assert run("--replay", path).exit_code == 0


def dies(self, work, seconds, lives=1):
    raise soak.DiedError("of SIGSEGV")


def test_an_instance_that_takes_too_long_is_unknown(run, monkeypatch, tmp_path):
    def overruns(self, work, seconds, lives=1):
        raise soak.OverrunError

    only(monkeypatch, "learning models")
    monkeypatch.setattr(InProcess, "call", overruns)
    result = run("--instances", 1)
    assert result.exit_code == 0
    assert rows(result)["learning models"] == [1, 0, 1, 0]
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_with_the_table(run, monkeypatch, number):
    calls = []

    def call(self, work, seconds, lives=1):
        calls.append(work)
        if len(calls) == 2:
            os.kill(os.getpid(), number)
            time.sleep(0.2)
        return work()

    only(monkeypatch, "learning models")
    monkeypatch.setattr(InProcess, "call", call)
    result = run("--instances", 1000)
    assert result.exit_code == 128 + number
    assert rows(result)["learning models"] == [1, 0, 0, 0]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"format": "another"}',
        '{"format": "bilad soak 1", "task": {"check": "none", "seed": 0, "index": 0}}',
        '{"format": "bilad soak 1", "task": {"check": "followers", "seed": -1, "index": 0}}',
        '{"format": "bilad soak 1", "task": {"check": "followers", "seed": 0}}',
        '{"format": "bilad soak 1", "task": {"check": "followers", "seed": 0, "index": 0, '
        '"instance": "text"}}',
    ],
)
def test_a_file_that_is_no_instance_is_refused(run, tmp_path, text):
    path = tmp_path / "instance.json"
    path.write_text(text)
    result = run("--replay", path)
    assert result.exit_code == 2
    assert "error --replay: got" in result.output


@pytest.mark.parametrize("check", soak.CHECKS)
def test_an_instance_depends_on_its_seed_and_index_and_is_data(check):
    one, again, other = (drawn(check, index) for index in (7, 7, 8))
    assert one == again != other
    assert json.loads(json.dumps(one, allow_nan=False)) == one


def test_a_problem_is_read_as_it_was_written():
    for index in range(8):
        given = drawn("certificates", index)
        problem = problem_of(given)
        assert attacks.problem_data(given["model"], problem) == {
            name: value for name, value in given.items() if name != "relaxation"
        }


def mismatches(check, index):
    return " ".join(soak.CHECKS[check].examine(drawn(check, index)).mismatches)


def planting(monkeypatch, module, name, change):
    """Change the results of a function."""
    true = getattr(module, name)
    monkeypatch.setattr(module, name, lambda *given, **options: change(true(*given, **options)))


def test_a_wrong_solution_of_the_lower_level_is_found(monkeypatch):
    def shifted(found):
        if found.method != "ssnal":
            return found
        return replace(found, X=found.X + 1e-2)

    assert not mismatches("lower level", 0)
    planting(monkeypatch, comparison, "cluster", shifted)
    assert "ssnal, p = 2: two results contradict each other" in mismatches("lower level", 0)


@pytest.fixture
def two_methods(monkeypatch):
    """Two methods in place of all, of which the first proves a bound."""
    names = ("milp", "corners")
    monkeypatch.setattr(attacks, "FORMULATIONS", names)
    two = {name: attacks.UPPER_METHODS[name] for name in names}
    monkeypatch.setattr(attacks, "UPPER_METHODS", two)


def wrong(seen):
    return replace(seen, deviation=seen.deviation + 2)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda one: one, ""),
        (lambda one: replace(one, bound=4.0 if one.bound else None), "and milp proves 4"),
        (lambda one: replace(one, deviation=one.deviation + 2), "recomputed 6"),
        (lambda one: replace(one, history=tuple(map(wrong, one.history))), "recomputed"),
        (lambda one: replace(one, norm=9 * one.norm), "not the norm of eps"),
        (lambda one: replace(one, termination="error: IPOPT"), "milp: error: IPOPT"),
    ],
)
def test_a_wrong_attack_is_found(monkeypatch, two_methods, change, found):
    planting(monkeypatch, attacks, "attack", change)
    texts = mismatches("formulations", 31)
    assert found in texts
    assert bool(texts) == bool(found)


class WrongBound:
    def supports(self, model):
        return True

    def __call__(self, *given):
        return 1.0


@pytest.mark.parametrize(
    ("name", "wrong", "found"),
    [
        ("bound", WrongBound(), "the tight bound proves 1"),
        ("certify", lambda *given, **options: SimpleNamespace(lower=2.0), "and the radius is 2"),
    ],
)
def test_a_wrong_certificate_is_found(monkeypatch, two_methods, name, wrong, found):
    assert not mismatches("certificates", 29)
    monkeypatch.setattr(attacks, name, wrong)
    assert found in mismatches("certificates", 29)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda one: one, ""),
        (lambda one: replace(one, bound=None if one.bound is None else one.bound + 1), "proves"),
        (lambda one: replace(one, objective=one.objective - 1), "the objective is"),
        (lambda one: replace(one, status="infeasible"), "and it is feasible"),
    ],
)
def test_a_wrong_solution_of_a_bilevel_model_is_found(monkeypatch, change, found):
    planting(monkeypatch, followers, "solve_bilevel", change)
    monkeypatch.setattr(followers, "METHODS", ("kkt", "branching"))
    texts = mismatches("followers", 4)
    assert found in texts
    assert bool(texts) == bool(found)


def test_a_point_that_is_no_response_of_the_follower_is_found(monkeypatch):
    def moved(solution):
        found, x, y = solution
        return found, x, y + 0.5

    monkeypatch.setattr(followers, "METHODS", ("branching",))
    planting(monkeypatch, followers._Model, "solve", moved)
    assert "branching: the follower's objective is" in mismatches("followers", 0)
