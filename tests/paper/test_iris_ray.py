"""The Iris ray of Figures 4 to 8: what is stated of it, recomputed with other tools."""

from itertools import combinations

import numpy as np
import pytest
from sklearn.metrics import normalized_mutual_info_score, rand_score

from bilad.models import recovery_interval
from bilad.scripts.reproduce.figures import apart, first_changes
from bilad.scripts.reproduce.ray import ray_of
from bilad.scripts.settings import SETTINGS
from bilad.solvers import attack, cluster
from bilad.solvers.certificates.calmness import GLOBAL_MODULUS, empirical_modulus
from bilad.solvers.clustering.cluster import solve_lower

IRIS = SETTINGS["iris"]
MODEL, SHIFT, RAY = IRIS.model(), IRIS.shift(), ray_of(IRIS)
BEFORE = RAY.path.labels_at(0.0)
GRID = np.linspace(-8, 8, 9).tolist()


def first_appearance(labels):
    """Number clusters by first appearance."""
    order = list(dict.fromkeys(labels.tolist()))
    return np.array([order.index(label) for label in labels])


@pytest.mark.parametrize(("method", "every"), [("exact", 1), ("ssnal", 5)])
def test_every_long_interval_is_what_the_lower_level_says_in_its_middle(method, every):
    before = first_appearance(cluster(MODEL, method).labels)
    long = RAY.pieces[RAY.pieces.end - RAY.pieces.start > 1e-6]
    assert len(long) >= 15
    for piece in long[::every].itertuples():
        eps = piece.side * (piece.start + piece.end) / 2
        found = cluster(SHIFT.apply(MODEL, eps), method)
        assert found.proved
        after = first_appearance(found.labels)
        pairs = combinations(range(100), 2)
        wrong = sum((before[i] == before[j]) != (after[i] == after[j]) for i, j in pairs)
        assert piece.delta == 2 * wrong
        assert piece.changed == np.count_nonzero(before != after)
        assert pytest.approx(rand_score(before, after), abs=1e-12) == piece.RI
        assert pytest.approx(normalized_mutual_info_score(before, after), abs=1e-9) == piece.NMI
        assert piece.clusters == len(set(after.tolist()))
        assert piece.same == (piece.delta == 0)


def test_pieces_cover_the_budget_on_either_side():
    for _, side in RAY.pieces.groupby("side"):
        assert (side.start.iloc[0], side.end.iloc[-1]) == (0, 8)
        assert (side.end[:-1].to_numpy() == side.start[1:].to_numpy()).all()


def test_the_partition_is_unchanged_between_the_first_changes():
    low, high = RAY.interval
    assert (low, high) == pytest.approx((-0.4, 3.6), abs=1e-12)
    before = cluster(MODEL).labels
    for eps, same in ((low + 1e-6, 1), (high - 1e-6, 1), (low - 1e-6, 0), (high + 1e-6, 0)):
        assert (before == cluster(SHIFT.apply(MODEL, eps)).labels).all() == same
    assert first_changes(RAY).delta.tolist() == [98, 374]
    assert 2 * 6 * (100 - 6) == 1128  # the form of the paper's first jump


def test_delta_is_not_monotone_and_jumps_by_itself():
    falls = RAY.reversals("delta")
    assert (falls.before[falls.eps < 0].max(), falls.after[falls.eps < 0].min()) == (4998, 4978)
    assert apart(RAY, "delta", "changed") == (13, 0)
    assert apart(RAY, "delta", "changed-matched") == (11, 0)


def test_the_optima_are_those_of_the_curve():
    most, least = attack(IRIS.max_deviation(), "exact"), attack(IRIS.min_perturbation(), "exact")
    assert most.deviation == RAY.pieces.delta.max() == 4998
    assert least.norm == pytest.approx(RAY.pieces.query("delta >= 1200").start.min(), rel=1e-5)
    assert least.norm == pytest.approx(1.968, abs=1e-4)


def test_ssnal_returns_the_exact_solution():
    """It also converges where gamma is outside the range of Theorem 2."""
    for eps in GRID:
        moved = SHIFT.apply(MODEL, eps)
        exact, found = solve_lower(moved, "exact"), solve_lower(moved, "ssnal", tol=1e-10)
        difference = np.linalg.norm(found.X - exact.X)
        assert found.status == "optimal"
        assert difference <= found.distance_bound + exact.distance_bound
        assert difference <= 1e-12
        assert (found.labels == exact.labels).all()
        assert not recovery_interval(moved, BEFORE).recovers


def test_the_solution_is_calm():
    seen = empirical_modulus(solve_lower(MODEL), SHIFT, [[eps] for eps in GRID])
    assert 0 < seen.modulus <= GLOBAL_MODULUS * (1 + 1e-9)


def test_theorem_2_guarantees_no_eps_of_the_unchanged_interval():
    found = recovery_interval(MODEL, BEFORE)
    assert (found.gamma_min, found.gamma_max) == pytest.approx((0.16, 0.108), abs=1e-3)
    inside = np.linspace(*RAY.interval, 101)[1:-1]
    moved = [SHIFT.apply(MODEL, eps) for eps in inside]
    assert len(moved) == 99
    assert not any(recovery_interval(one, BEFORE).recovers for one in moved)
