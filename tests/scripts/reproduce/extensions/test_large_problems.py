"""Large problems: the kinds of perturbation, the rows, and the summary of the rows."""

from dataclasses import replace

import numpy as np
import pytest

from bilad.models import deviation
from bilad.scripts.reproduce.extensions import large_problems
from bilad.scripts.reproduce.extensions.large_problems import large_blocks, large_text
from bilad.solvers import cluster


@pytest.fixture(scope="module")
def small():
    """Return clouds with sixty points only; the kinds of perturbation do not depend on n."""
    return large_problems.clouds(60, np.random.default_rng(0))


@pytest.fixture(scope="module")
def rows(small):
    kinds = tuple(large_problems.KINDS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(large_problems, "MODELS", {"small": lambda rng: small})
        return list(large_problems.attacks(["small"], kinds, ["random", "pgd"], 5, 5.0, 0))


def test_the_models_have_a_large_problems_and_more():
    for make in large_problems.MODELS.values():
        assert make(np.random.default_rng(0)).n >= 1000


def test_every_kind_perturbs_what_it_says(small):
    made = {
        kind: make(small, np.random.default_rng(0)) for kind, make in large_problems.KINDS.items()
    }
    assert made["entries"].perturbation.dim == large_problems.CHOSEN
    assert made["feature, one shift"].perturbation.dim == 1
    moved = made["feature, one shift"].perturbation.changes(1.0)["data"]
    assert set(np.unique(moved[:, 0])) == {0.0, 1.0}
    assert not moved[:, 1].any()
    assert (made["dropped edges"].norm, made["edge weights"].norm) == (1, 2)
    for kind in ("dropped edges", "edge weights"):
        assert small.graph.has_edges_of(made[kind].perturbation.structure)


def test_a_row_says_what_the_solution_says(rows, small):
    row = next(r for r in rows if (r.kind, r.method) == ("entries", "random"))

    assert row.solves <= 5
    assert row.success == (row.deviation > 0)
    assert row.share == pytest.approx(100 * row.deviation / (60 * 59))


def test_dropped_points_are_counted_among_the_others(rows, small):
    row = next(r for r in rows if r.kind == large_problems.POINTS)
    before = cluster(small).labels
    candidates = large_problems.some_points(
        small, large_problems.CANDIDATES, np.random.default_rng(0)
    )
    best = 0.0
    for point in candidates:
        kept = np.setdiff1d(np.arange(small.n), [point])
        inner = ~(small.graph.edges == point).any(axis=1)
        weights = np.where(inner, small.graph.weights, 0.0)
        after = cluster(small.with_graph(small.graph.with_weights(weights))).labels
        best = max(best, deviation(before[kept], after[kept]))
    assert row.solves <= 5  # so that no pair was tried
    assert row.deviation <= best


def test_the_text_follows_the_rows(rows):
    still = [replace(row, success=False, deviation=0.0) for row in rows]
    assert f"changed in 0 of {len(large_problems.KINDS) + 1}" in large_text(still)
    moved = [replace(row, success=True, deviation=2.0) for row in rows]
    assert "by every kind of perturbation" in large_text(moved)
    assert len(large_blocks(rows, 5, 5.0)[0].cells) == len(rows)


def test_the_leader_has_the_best_deviation(rows):
    first = replace(rows[0], success=True, deviation=1e6)
    leaders = large_problems.leaders([*rows[1:], first])
    assert leaders[first.data, first.kind] is first
