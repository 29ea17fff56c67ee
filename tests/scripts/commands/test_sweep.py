"""`bilad sweep`: the file of its rows is never one of somebody else."""

import os

import pytest
from typer.testing import CliRunner

from bilad.models import ArgumentError
from bilad.scripts.cli import app
from bilad.scripts.experiment_runs import RunOptions

SPECIFICATION = """
methods = ["corners"]
limits.solves = 3
data.d = {kind = "clouds", points = 9, dimension = 1}
models.m = {kind = "convex clustering", gamma = 2.4, weight = "1/n"}
perturbations.p = {kind = "additive", points = 2}
[[problems]]
data = "d"
models = "m"
perturbations = "p"
budgets = 1.0
"""


@pytest.mark.parametrize("option", ["--force", "--resume"])
def test_another_file_is_never_replaced(option, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(SPECIFICATION)
    result = CliRunner().invoke(app, ["sweep", str(path), "--store", str(path), option])
    assert result.exit_code == 2
    assert "another file, expected a store of experiments" in result.stderr
    assert path.read_text() == SPECIFICATION


@pytest.mark.parametrize("option", [{"force": True}, {"force": False}])
@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_file_is_never_replaced(kind, option, tmp_path):
    path = tmp_path / "rows.sqlite"
    path.mkdir() if kind == "folder" else os.mkfifo(path)
    with pytest.raises(ArgumentError, match="another file, expected a store"):
        RunOptions(resume=not option["force"]).check(path, **option)


def test_a_store_is_continued_or_replaced_only_when_this_is_said(tmp_path):
    store = tmp_path / "rows.sqlite"
    RunOptions().check(store, force=False)
    store.touch()
    with pytest.raises(ArgumentError, match="--resume to continue it, or --force"):
        RunOptions().check(store, force=False)
    RunOptions().check(store, force=True)
    RunOptions(resume=True).check(store, force=False)
    with pytest.raises(ArgumentError, match="at most one of the two"):
        RunOptions(resume=True).check(store, force=True)
