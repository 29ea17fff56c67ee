"""`bilad cluster`, and what all commands on a data set have in common."""

import io
import json
import shutil

import numpy as np
import pandas as pd
import pytest

from bilad.solvers import Clustering
from bilad.solvers import cluster as solve

OWN = "--label", "kind", "--neighbours", 4


def test_clusters_of_a_file(bilad, flowers, tmp_path):
    result = bilad("cluster", flowers, "--gamma", 1, *OWN)
    assert result.exit_code == 0, result.output
    folder = tmp_path / "results" / "cluster" / "flowers"
    labels = pd.read_csv(folder / "labels.csv", index_col=0)
    record = json.loads((folder / "clusters.json").read_text())
    assert labels.label.tolist() == [0, 1] * 5
    assert {"height", "width"} < set(labels.columns)
    assert record["result"]["status"] == "optimal"
    assert record["options"]["gamma"] == 1
    assert record["data"]["source"] == str(flowers)
    assert record["data"]["features"] == ["height", "width"]
    assert "2 clusters of 10 points, proved" in result.stdout
    assert "10 points, 2 features" in result.stderr


def test_the_table_has_sizes_and_means(bilad, flowers):
    result = bilad("cluster", flowers, "--gamma", 1, *OWN, "--csv")
    table = pd.read_csv(io.StringIO(result.stdout))
    data = pd.read_csv(flowers)
    assert table["size"].tolist() == [5, 5]
    means = data.groupby("kind", sort=False)[["height", "width"]].mean()
    assert np.allclose(table[["height", "width"]], means)


def test_the_three_forms_are_alone_on_stdout(bilad, flowers):
    common = ("cluster", flowers, "--gamma", 1, *OWN, "--force")
    assert json.loads(bilad(*common, "--json").stdout)["command"] == "cluster"
    assert bilad(*common, "--latex").stdout.startswith(r"\begin{table}")
    result = bilad(*common, "--csv", "--quiet")
    assert result.stdout.startswith("cluster,size,height,width")
    assert result.stderr == ""
    both = bilad(*common, "--csv", "--json")
    assert (both.exit_code, both.stdout) == (2, "")
    assert both.stderr.startswith("error --csv: got --json too")


def test_files_are_replaced_only_by_force(bilad, flowers, tmp_path, monkeypatch):
    common = ("cluster", flowers, *OWN, "--out", "mine")
    assert bilad(*common, "--gamma", 1).exit_code == 0
    before = (tmp_path / "mine" / "clusters.json").read_text()
    with monkeypatch.context() as without:
        without.setattr("bilad.scripts.commands.cluster.solve", None)  # no work is begun
        refused = bilad(*common, "--gamma", 2)
    assert refused.exit_code == 2
    assert "error --out: got mine, in which labels.csv, clusters.json" in refused.stderr
    assert "--force" in refused.stderr
    assert (tmp_path / "mine" / "clusters.json").read_text() == before
    assert bilad(*common, "--gamma", 2, "--force").exit_code == 0
    assert json.loads((tmp_path / "mine" / "clusters.json").read_text())["options"]["gamma"] == 2


@pytest.mark.parametrize("suffix", ["csv", "parquet", "npy"])
def test_kinds_of_files_by_a_relative_path(bilad, flowers, tmp_path, suffix):
    frame = pd.read_csv(flowers)
    if suffix == "csv":
        shutil.copy(flowers, tmp_path / "own.csv")
    elif suffix == "parquet":
        frame.to_parquet(tmp_path / "own.parquet")
    else:
        np.save(tmp_path / "own.npy", frame[["height", "width"]].to_numpy())
    label = () if suffix == "npy" else ("--label", "kind")
    result = bilad("cluster", f"own.{suffix}", "--gamma", 1, *label, "--columns", "1", "--json")
    assert result.exit_code == 0, result.output
    record = json.loads(result.stdout)
    assert record["data"]["features"] == ["1" if suffix == "npy" else "width"]
    assert record["data"]["source"] == f"own.{suffix}"


def test_without_gamma_path_is_named(bilad, flowers):
    result = bilad("cluster", flowers, "--label", "kind")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert f"`bilad path {flowers}` suggests" in result.stderr


@pytest.mark.parametrize("command", ["cluster", "path", "attack", "certify", "verify"])
def test_a_missing_value_is_refused_with_its_place(bilad, tmp_path, command):
    (tmp_path / "holes.csv").write_text("x,y\n1,2\n3,\n5,6\n")
    gamma = () if command == "path" else ("--gamma", 1)
    result = bilad(command, "holes.csv", *gamma)
    assert result.exit_code == 2
    said = "error holes.csv: row 3, column 'y': got '', expected a finite number\n"
    assert result.stderr == said
    assert result.stdout == ""


def interrupted(model, *arguments, **options):
    """Return a solution that Ctrl-C has ended."""
    found = solve(model)
    values = {name: getattr(found, name) for name in Clustering.__dataclass_fields__}
    return Clustering(**{**values, "status": "interrupted"})


def test_an_interrupted_solution_is_not_a_result(bilad, flowers, tmp_path, monkeypatch):
    monkeypatch.setattr("bilad.scripts.commands.cluster.solve", interrupted)
    result = bilad("cluster", flowers, "--gamma", 1, *OWN)
    assert (result.exit_code, result.stdout) == (130, "")
    assert not (tmp_path / "results").exists()


def test_a_solver_that_fails_is_code_1(bilad, flowers, monkeypatch):
    def failing(model, *arguments, **options):
        return solve(model, max_iterations=1)

    monkeypatch.setattr("bilad.scripts.commands.cluster.solve", failing)
    result = bilad("cluster", flowers, "--gamma", 1, *OWN)
    assert result.exit_code == 1
    assert "iteration limit" in result.stdout
