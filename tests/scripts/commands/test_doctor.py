"""`bilad doctor`: what it prints, and its exit code."""

import json
import sys

import pytest
from typer.testing import CliRunner

from bilad import __main__ as program
from bilad.scripts.cli import app
from bilad.scripts.commands import doctor as command
from bilad.scripts.installation import BROKEN, MISSING, Finding

FINE = [
    Finding("package", "numpy", "2.0", expected=">=1.26"),
    Finding("optional", "nlopt", "not installed", MISSING, ">=2", "pip install 'bilad[x]'"),
]
BAD = Finding("package", "pyomo", "6: ImportError", BROKEN, ">=6.10", "pip install 'pyomo'")


@pytest.fixture
def found(monkeypatch):
    """Return the list of what is found."""
    found = list(FINE)
    monkeypatch.setattr(command, "findings", lambda: iter(found))
    return found


def run(*arguments):
    return CliRunner().invoke(app, ["doctor", *arguments])


def test_an_optional_package_that_is_missing_is_no_fault(found):
    result = run()
    assert result.exit_code == 0
    assert result.stderr == ""
    assert "2.0 (allowed >=1.26)" in result.stdout
    assert "pip install 'bilad[x]'" in result.stdout


def test_a_fault_is_said_in_words(found):
    found.append(BAD)
    result = run()
    assert result.exit_code == 1
    assert result.stderr == ("error package pyomo: 6: ImportError, broken; pip install 'pyomo'\n")


def test_it_is_printed_as_json(found):
    found.append(BAD)
    result = run("--json")
    assert result.exit_code == 1
    assert [one["name"] for one in json.loads(result.stdout)["findings"]] == [
        "numpy", "nlopt", "pyomo",
    ]  # fmt: skip


@pytest.fixture
def broken(monkeypatch):
    """Make the command line fail when it is imported."""
    monkeypatch.setitem(sys.modules, "bilad.scripts.cli", None)


def test_doctor_runs_if_the_command_line_cannot_be_imported(found, broken, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["bilad", "doctor", "--json"])
    with pytest.raises(SystemExit) as end:
        program.main()
    assert end.value.code == 0
    assert json.loads(capsys.readouterr().out)["findings"][0]["name"] == "numpy"


def test_other_commands_then_name_doctor(found, broken, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["bilad", "sweep"])
    with pytest.raises(SystemExit, match="`bilad doctor` says what is missing"):
        program.main()
