"""Recovery: Theorem 1 and the exact test agree with lower-level solutions."""

from dataclasses import replace

import numpy as np
import pytest

from bilad.models import ConvexClustering, deviation, recovery_interval
from bilad.scripts.reproduce.extensions import recovery_grid
from bilad.scripts.reproduce.extensions.recovery_grid import recovery_answer, recovery_blocks
from bilad.solvers import cluster

CELLS = [
    (recovery_grid.IMBALANCE, 2.0),
    (recovery_grid.INNER, 0.4),
    (recovery_grid.OUTER, 0.5),
    (recovery_grid.ALIKE, 0.0),
    (recovery_grid.PULL, 0.5),
]


@pytest.fixture(scope="module")
def rows():
    return [recovery_grid.recovery_cell(*cell, p=2.0, d=1, seed=0, gammas=7) for cell in CELLS]


@pytest.mark.parametrize("number", range(len(CELLS)))
def test_yes_and_no_are_those_of_a_solve(rows, number):
    family, level = CELLS[number]
    data, graph, labels = recovery_grid.FAMILIES[family](level, 1, np.random.default_rng([0, 1]))
    grid = np.geomspace(recovery_grid.LEAST, recovery_grid.MOST, 7)
    grid *= recovery_grid.DISTANCE / len(data)
    solved = [cluster(ConvexClustering(data, graph, gamma, 2), refine=True) for gamma in grid]
    returned = [deviation(labels, own.labels) == 0 for own in solved if own.proved]
    row = rows[number]
    assert row.yes + row.no + row.unknown == 7
    assert (row.yes, row.no) == (sum(returned), len(returned) - sum(returned))
    assert row.contradictions == 0


def test_the_assumptions_fail_where_they_are_to_fail():
    for family, level in CELLS:
        data, graph, labels = recovery_grid.FAMILIES[family](
            level, 2, np.random.default_rng([0, 2])
        )
        found = recovery_interval(ConvexClustering(data, graph, 1.0, 2), labels)
        if family == recovery_grid.INNER:
            assert not found.holds_c1
        centroids = [data[labels == k].mean(axis=0) for k in range(2)]
        alike = family in (recovery_grid.ALIKE, recovery_grid.PULL)
        assert np.allclose(*centroids, atol=1e-12) == alike


def test_coinciding_centroids_alone_are_never_returned(rows):
    assert rows[3].yes == 0


def test_the_answer_turns_with_the_cells(rows):
    assert "contradicts Theorem 1 for 0 of" in recovery_answer(rows)
    wrong = [replace(row, contradictions=1) for row in rows]
    assert f"contradicts Theorem 1 for {len(rows)} of" in recovery_answer(wrong)
    never = [replace(row, yes=0) for row in rows]
    assert "not necessary" not in recovery_answer(never)
    sometimes = [*rows[:-1], replace(rows[-1], yes=1)]
    assert "distinct centroids are not necessary" in recovery_answer(sometimes)
    assert len(recovery_blocks(rows)[0].cells) == len(rows)
