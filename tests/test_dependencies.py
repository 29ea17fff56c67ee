"""Every dependency used through `bilad`; CI runs this with the lowest versions that are allowed."""

import io
import os
import re
import sys
from importlib.metadata import packages_distributions, requires
from importlib.util import find_spec

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from bilad.models import (
    ConvexClustering,
    FusionGraph,
    MaxDeviation,
    MinPerturbation,
    Perturbation,
    SupportVectorMachine,
    load_dataset,
)
from bilad.scripts.cli import app
from bilad.scripts.experiments.report import write_report
from bilad.scripts.experiments.runner import run_experiment
from bilad.scripts.reproduce.reproduce import PARTS, reproduce
from bilad.solvers import ConvexClusterer, attack, cluster, cluster_path, fit
from bilad.solvers.upper import UPPER_METHODS, refusal

DATA = np.array([[0.0, 0.1], [0.2, 0.0], [9.0, 9.1], [9.2, 9.0], [4.0, 4.5]])
EXTRAS = {"nomad": "PyNomad", "nlopt-crs": "nlopt"}


def clouds(p, d=2):
    data = DATA[:, :d]
    return ConvexClustering(data, FusionGraph.complete(len(data)), 0.3, p)


def problem(kind, p=2, d=2):
    model = clouds(p, d)
    moved = Perturbation.additive(model.data.shape, points=[4])
    return MaxDeviation(model, moved, 4.0) if kind == "BL1" else MinPerturbation(model, moved, 1)


@pytest.mark.parametrize("p", [1, 2, np.inf])
@pytest.mark.parametrize("method", ["auto", "ssnal", "clarabel"])
def test_the_lower_level(method, p):
    found = cluster(clouds(p), method, refine=True)
    assert found.proved
    assert found.labels.tolist() == [0, 0, 1, 1, 2]


def test_the_lower_level_on_a_line():
    assert cluster(clouds(1, d=1), "exact").labels.tolist() == [0, 0, 1, 1, 2]


def test_labels_that_are_not_proved():
    # Pairs are undecided here: their bottlenecks are sought in a spanning tree of SciPy.
    data = load_dataset("iris").data[40:60]
    assert cluster(ConvexClustering(data, FusionGraph.complete(20), 0.05, 1), "ssnal").gap < 1e-6


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_tables(tmp_path, form):
    import pandas as pd

    frame, path = pd.DataFrame(DATA, columns=["a", "b"]), tmp_path / f"table.{form}"
    frame.to_csv(path, index=False) if form == "csv" else frame.to_parquet(path)
    assert np.array_equal(load_dataset(path).data, DATA)


def test_a_path_and_its_picture():
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    cluster_path(clouds(2), [0.1, 10.0]).plot(axes)
    assert axes.collections


def test_the_estimator_is_one_of_scikit_learn():
    from sklearn.base import clone

    clusterer = clone(ConvexClusterer(0.5, weights="knn", n_neighbors=2))
    assert clusterer.fit_predict(DATA).tolist()[:2] == [0, 0]


@pytest.mark.parametrize("method", sorted({*UPPER_METHODS, "auto"} - {"exact", "milp", "greedy"}))
@pytest.mark.parametrize("kind", ["BL1", "BL2"])
def test_an_attack_in_the_plane(method, kind):
    if method in EXTRAS and find_spec(EXTRAS[method]) is None:
        pytest.skip(f"{EXTRAS[method]} is not installed")
    asked = problem(kind)
    if method in UPPER_METHODS and refusal(UPPER_METHODS[method], asked) is not None:
        asked = problem(kind, 1, 1)
    found = attack(asked, method, time_limit=20.0, max_solves=60, bound="none")
    assert not found.termination.startswith("error")
    assert found.lower_solves > 0


@pytest.mark.parametrize("kind", ["BL1", "BL2"])
def test_the_proofs_of_highs_and_of_the_exact_method_agree(kind):
    answers = [attack(problem(kind, 1, 1), method) for method in ("exact", "milp")]
    assert {found.status for found in answers} == {"optimal"}
    assert answers[0].deviation == answers[1].deviation


@pytest.mark.parametrize("loss", ["squared_hinge", "hinge"])
def test_support_vector_machines_are_attacked(loss):
    model = SupportVectorMachine(DATA, [0, 0, 1, 1, 1], loss=loss)
    assert fit(model).proved
    moves = Perturbation.additive(DATA.shape, points=[4])
    found = attack(MaxDeviation(model, moves, 4.0, deviation="validation-loss"), "kkt")
    assert found.proved
    assert found.deviation > 0


def test_the_command_line(tmp_path):
    for arguments in (["--help"], ["compare", "--help"], ["reproduce", "--help"]):
        answer = CliRunner().invoke(app, arguments)
        assert answer.exit_code == 0
        assert "Usage" in answer.output
    answer = CliRunner().invoke(app, ["compare", "iris", "--methods", "corners", "--out", tmp_path])
    assert answer.exit_code == 0
    assert (tmp_path / "compare_staircase_0.svg").is_file()


def test_a_report(tmp_path):
    silent = Console(file=io.StringIO())
    page = reproduce([PARTS["theorems"]], tmp_path, silent, silent, quick=True)
    assert "<html" in page.read_text()


def test_an_experiment(tmp_path):
    given = {"methods": {"random": {"corners": 5}}, "problems": {"mine": problem("BL1")}}
    table = run_experiment(given, tmp_path / "runs.sqlite")
    assert table.termination.tolist() == ["converged"], table.termination.tolist()
    assert "<html" in write_report(table, tmp_path).read_text()


@pytest.mark.skipif("PYTEST_XDIST_WORKER" in os.environ, reason="needs all tests in one process")
def test_every_dependency_is_imported_by_then():
    """A dependency that none of the above reaches is to be reached, or is none."""
    owners, imported = packages_distributions(), {name.partition(".")[0] for name in sys.modules}
    reached = {_plain(owner) for name in imported for owner in owners.get(name, ())}
    needed = {
        _plain(re.match(r"[\w.-]+", line)[0]) for line in requires("bilad") if "extra" not in line
    }
    assert len(needed) > 10
    assert needed <= reached


def _plain(name):
    return re.sub(r"[-_.]+", "-", name).lower()
