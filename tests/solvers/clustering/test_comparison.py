"""Methods for the lower level side by side: agreement, contradictions, refusals, limits."""

import json
from dataclasses import replace

import numpy as np
import pytest

from bilad.models import ConvexClustering, FusionGraph
from bilad.solvers import LowerComparison, compare_lower
from bilad.solvers.clustering import comparison
from bilad.solvers.clustering.labels.partition import Partition

A = np.random.default_rng(0).normal(size=(12, 2)) + 4 * np.repeat([0, 1], 6)[:, None]
PLANE = ConvexClustering(A, FusionGraph.complete(12), 0.39)
LINES = ConvexClustering(A, FusionGraph.complete(12), 0.32, 1)


def test_three_methods_agree():
    found = compare_lower(LINES)
    assert found.agrees is True
    table = found.to_frame()
    assert list(table.index) == ["ssnal", "exact", "clarabel"]
    assert (table.labels == "agree").all()
    assert (table.distance <= table.bound).all()
    assert (table.objective - found.clusterings["exact"].objective).abs().max() < 1e-6
    assert table.distance[found.reference] == 0
    assert str(table.clusters.dtype) == "Int64"


def test_a_method_that_cannot_solve_the_model_says_why():
    found = compare_lower(PLANE)
    assert found.agrees is True
    assert "p = 1, d = 1" in found.not_run["exact"]
    table = found.to_frame()
    assert table.status["exact"] == found.not_run["exact"]
    assert table.loc["exact"].drop("status").isna().all()
    record = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert record["methods"]["exact"]["gap"] is None
    assert record["methods"]["ssnal"]["clusters"] == found.clusterings["ssnal"].n_clusters
    assert repr(found).startswith("LowerComparison(agrees=True, reference=")
    assert found.not_run["exact"] in found._repr_html_()


def test_one_solution_cannot_be_compared():
    found = compare_lower(PLANE, "ssnal")
    assert found.agrees is None
    assert found.to_frame().labels.tolist() == ["agree"]
    none = compare_lower(PLANE, ["exact"])
    assert (none.agrees, none.reference) == (None, None)
    assert len(none.to_frame()) == 1


def changed(found, **fields):
    ssnal = replace(found.clusterings["ssnal"], **fields)
    return LowerComparison(found.model, {**found.clusterings, "ssnal": ssnal}, {})


def test_a_solution_that_is_too_far_away_contradicts():
    found = compare_lower(PLANE, ("ssnal", "clarabel"))
    bound = found.to_frame().bound["clarabel"]
    X = found.clusterings["ssnal"].X
    assert changed(found, X=X + 0.1 * bound / np.sqrt(X.size)).agrees is True
    assert changed(found, X=X + 10 * bound / np.sqrt(X.size)).agrees is False


def test_proved_labels_that_differ_contradict_and_undecided_ones_do_not():
    found = compare_lower(PLANE, ("ssnal", "clarabel"))
    labels = found.clusterings["clarabel"].labels
    assert labels.max() == 1
    one_cluster, none = np.zeros(12, dtype=np.int64), np.empty((0, 2), dtype=np.int64)
    other = changed(found, partition=Partition(one_cluster, none))
    assert other.agrees is False
    assert "contradict" in other.to_frame().labels.tolist()
    between = np.array([[0, 6]])
    open_pair = changed(found, partition=Partition(one_cluster, between))
    assert open_pair.agrees is True
    assert "undecided" in open_pair.to_frame().labels.tolist()
    finer = labels.copy()
    finer[0] = 2
    assert changed(found, partition=Partition(finer, none)).agrees is False
    # Undecided pairs of one cluster do not hide what is proved of the other cluster.
    torn = labels.copy()
    torn[6] = 2
    partly = changed(found, partition=Partition(labels, np.array([[0, 1]])))
    clarabel = replace(found.clusterings["clarabel"], partition=Partition(torn, none))
    both = {**partly.clusterings, "clarabel": clarabel}
    assert LowerComparison(found.model, both, {}).agrees is False


def test_a_limit_is_a_status_and_no_contradiction():
    found = compare_lower(PLANE, ("ssnal", "clarabel"), time_limit=1e-9)
    assert set(found.to_frame().status) == {"time limit"}
    assert found.agrees is True


def test_seconds_omit_the_loading_of_compiled_code(monkeypatch):
    """Every method first solves three points with the same norm and dimension."""
    solve, solved = comparison.cluster, []
    monkeypatch.setattr(
        comparison, "cluster", lambda *given, **how: solved.append(given) or solve(*given, **how)
    )
    compare_lower(LINES, ("ssnal", "clarabel"))
    assert [(given[0].n, given[1]) for given in solved] == [
        (3, "ssnal"), (LINES.n, "ssnal"), (3, "clarabel"), (LINES.n, "clarabel"),
    ]  # fmt: skip
    assert {(given[0].d, given[0].p) for given in solved} == {(LINES.d, LINES.p)}


@pytest.mark.parametrize(("n", "done"), [(3, []), (LINES.n, ["ssnal"])])
def test_an_interrupt_ends_the_comparison_with_what_is_done(monkeypatch, n, done):
    """The interrupt arrives in the solve of a model with n points."""
    solve = comparison.cluster

    def interrupted(model, *given, **how):
        found = solve(model, *given, **how)
        return replace(found, status="interrupted") if model.n == n else found

    monkeypatch.setattr(comparison, "cluster", interrupted)
    found = compare_lower(LINES)
    assert list(found.clusterings) == done
    names = ["ssnal", "exact", "clarabel"][len(done) :]
    assert found.not_run == dict.fromkeys(names, "interrupted")
