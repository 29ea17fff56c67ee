"""Commands survive faults, and the script that injects them finds what does not survive."""

import signal
from dataclasses import fields, replace

import pytest
import typer
from typer.testing import CliRunner

from bilad.scripts.cli import app
from bilad.scripts.experiments.run import Row
from bilad.scripts.experiments.store import JSON, Store
from bilad.scripts.faults import __main__ as program
from bilad.scripts.faults import faults
from bilad.scripts.faults.process import COMMANDS, STORE, Ended, half_written


def test_every_command_has_faults():
    names = [one.name or one.callback.__name__ for one in app.registered_commands]
    assert sorted(COMMANDS) == sorted(names)


def test_a_command_survives_a_few_faults():
    bench = faults.Bench(0, commands=("cluster",))
    bench._seconds["cluster"] = 1.0  # most of which are imports
    for fault in (faults.interrupt, faults.full_disk, faults.corrupt_file):
        found = next(fault(bench))
        assert not found.problems, found


@pytest.mark.slow
def test_every_command_survives_every_fault(tmp_path, monkeypatch):
    """Without memory limits, which not every command survives: compiled libraries can abort."""
    survived = [fault for fault in faults.FAULTS if fault is not faults.memory_limit]
    monkeypatch.setattr(program, "FAULTS", survived)
    single = typer.Typer()
    single.command()(program.faults)
    result = CliRunner().invoke(single, ["--seed", "1", "--output", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("ended", "problems"),
    [
        (Ended(0, "", ""), []),
        (Ended(1, "", "points.csv: 7 points\nerror not enough memory"), []),
        (Ended(130, "", "interrupted"), []),
        (Ended(-signal.SIGTERM, "", ""), []),
        (Ended(1, "", "Killed"), ["no line that says what is wrong"]),
        (Ended(-signal.SIGSEGV, "", ""), ["exit code -11"]),
        (Ended(-signal.SIGKILL, "", ""), ["hangs", "exit code -9"]),
        (Ended(130, "", "Traceback (most recent call last):\nKeyboardInterrupt"), ["traceback"]),
    ],
)
def test_a_bad_end_is_found(ended, problems):
    assert ended.problems() == problems


@pytest.mark.parametrize(
    ("name", "text", "is_whole"),
    [
        ("a.json", '{"a": 1}\n', True),
        ("a.json", '{"a": 1', False),
        ("a.svg", "<svg><g/></svg>", True),
        ("a.svg", "<svg><g/>", False),
        ("a.html", "<html></html>", True),
        ("a.html", "<html>", False),
        ("a.csv", "a,b\n1,2\n", True),
        ("a.csv", "a,b\n1,", False),
        ("a.csv", "", False),
        (".host-1.a.csv", "a,b\n", False),
    ],
)
def test_a_file_that_is_not_whole_is_found(name, text, is_whole, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text(text)
    assert half_written(tmp_path) == ([] if is_whole else [f"half-written: {name}"])


EMPTY = {"str": "", "int": 0, "float": 0.0}


def row(key):
    given = {one.name: EMPTY[one.type] for one in fields(Row)}
    return Row(**given | {name: str(form()) for name, form in JSON.items()} | {"key": key})


@pytest.mark.parametrize(
    ("reported", "kept", "after", "lost", "problems"),
    [
        (3, 3, 8, 0, []),
        (2, 3, 8, 0, []),
        (4, 3, 8, 1, []),
        (3, 3, 7, 0, ["resumed: exit code 0, 7 rows"]),
    ],
)
def test_a_lost_run_is_found(monkeypatch, tmp_path, reported, kept, after, lost, problems):
    def store(numbers):
        with Store(tmp_path / STORE) as base:
            for k in numbers:
                base.add(row(str(k)))

    store(range(kept))
    monkeypatch.setattr(faults, "start", lambda *given: store(range(kept, after)))
    monkeypatch.setattr(faults, "end", lambda process: Ended(0, "", ""))
    ended = Ended(130, "", f"runs: 8 runs\nruns {reported}/8: corners\ninterrupted")
    found = faults.judged("sweep", "", ended, tmp_path)
    assert (found.lost, found.problems) == (lost, problems)


def test_a_run_that_was_carried_out_again_is_found(monkeypatch, tmp_path):
    before, after = row("a"), replace(row("a"), seconds=1.0)
    rows = iter([{"a": before}, {"a": after}])
    monkeypatch.setattr(faults, "stored", lambda path: next(rows))
    monkeypatch.setattr(faults, "start", lambda *given: None)
    monkeypatch.setattr(faults, "end", lambda process: Ended(0, "", ""))
    assert faults.judged("sweep", "", Ended(130, "", ""), tmp_path).lost == 1
