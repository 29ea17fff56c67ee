"""`attack`: properties of the result of every method, on an instance with known breakpoints."""

import itertools

import numpy as np
import pytest

from bilad.models import (
    ConvexClustering,
    FusionGraph,
    MaxDeviation,
    MinPerturbation,
    Perturbation,
    Ridge,
    changed_predictions,
    deviation,
)
from bilad.solvers import attack, cluster
from bilad.solvers.termination import BudgetSpentError
from bilad.solvers.upper import LowerLevel

METHODS = ["direct", "kkt", "duality", "value-function"]


def keeps_its_bound(found):
    """Return whether the attack is not better than the proved bound."""
    if isinstance(found.problem, MaxDeviation):
        return found.deviation <= found.bound
    return found.norm >= found.bound


def check_report(found):
    """Assert that the result is admissible, and equal to that of a new lower-level solve."""
    problem = found.problem
    before = cluster(problem.model, "exact")
    after = cluster(problem.perturbation.apply(problem.model, found.eps), "exact")
    assert after.proved
    assert found.proved
    assert found.deviation == deviation(before.labels, after.labels)
    assert np.array_equal(found.labels, after.labels)
    assert found.norm == pytest.approx(np.linalg.norm(found.eps, problem.norm))
    assert found.norm <= problem.radius
    assert problem.is_attack(found.norm, found.deviation)
    met = problem.attains(found.bound, found.norm, found.deviation)
    assert found.status == ("optimal" if met else "feasible")
    assert keeps_its_bound(found)
    assert found.lower_solves == len(found.history) > 0
    assert found.seconds > 0
    for stage in found.stages:
        there = cluster(problem.perturbation.apply(problem.model, stage.eps), "exact")
        if there.proved:
            assert stage.deviation == deviation(before.labels, there.labels)
        assert np.linalg.norm(stage.eps, problem.norm) <= problem.radius


@pytest.mark.parametrize(
    ("method", "budget"), list(zip(METHODS, [18.0, 5.0, 18.0, 5.0], strict=True))
)
def test_bl1_attains_the_known_optimum(groups, method, budget):
    found = attack(groups.bl1(budget), method)
    check_report(found)
    assert found.deviation == (groups.joined if budget > groups.joins else groups.parted)


@pytest.mark.parametrize(
    ("method", "target"), list(zip(METHODS, ["parted", "parted", "joined", "joined"], strict=True))
)
def test_bl2_attains_the_known_breakpoint(groups, method, target):
    found = attack(groups.bl2(getattr(groups, target)), method)
    check_report(found)
    step = {"parted": groups.parts, "joined": groups.joins}[target]
    grid = 2 * 18.0 / 1000 if method == "direct" else 1e-5 * step
    assert step < found.norm <= step + grid


@pytest.mark.parametrize("method", ["direct", "kkt"])
def test_the_same_optima_with_rand(groups, method):
    pairs = groups.n * (groups.n - 1)
    found = attack(groups.bl1(deviation="rand"), method, bound="none")
    assert found.deviation == pytest.approx(groups.joined / pairs)
    found = attack(groups.bl2(groups.parted / pairs - 1e-9, deviation="rand"), method, bound="none")
    assert groups.parts < found.norm < groups.parts + 0.04


@pytest.mark.parametrize(
    ("method", "lower"),
    [
        *itertools.product(["direct"], ["exact", "ssnal", "clarabel"]),
        ("kkt", "ssnal"),
        ("duality", "clarabel"),
        ("value-function", "ssnal"),
    ],
)
def test_any_lower_level_gives_the_same_answer(groups, method, lower):
    options = {"step": 1.0} if method == "direct" else {}
    found = attack(groups.bl1(), method, lower=lower, bound="none", **options)
    assert found.deviation == groups.joined
    assert found.solution.method == lower


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "norm"), [("kkt", 1), ("duality", 2), ("value-function", np.inf)]
)
def test_two_parameters_in_every_norm(groups, method, norm):
    """Each point moves separately. Local methods attain nearly the best value of a grid."""
    problem = MaxDeviation(groups.model(), groups.each(), 5.0, norm=norm)
    found = attack(problem, method, starts=3)
    check_report(found)
    grid = attack(problem, "direct", step=0.5, bound="none")
    assert found.deviation >= 0.9 * grid.deviation > 0
    problem = MinPerturbation(groups.model(), groups.each(), 1, norm=norm, limit=18.0)
    found = attack(problem, method, starts=3)
    check_report(found)
    least = attack(problem, "direct", step=0.25, bound="none").norm
    assert found.norm <= (1.5 if method == "value-function" else 1.02) * least


@pytest.mark.parametrize("method", ["direct", "kkt"])
def test_a_budget_below_the_first_breakpoint(groups, method):
    found = attack(groups.bl1(0.99 * groups.parts), method, bound="none")
    assert found.status == "no attack found"
    assert found.eps.tolist() == [0.0]
    assert (found.deviation, found.norm) == (0, 0.0)
    assert len(found.history) > 0
    found = attack(groups.bl2(groups.joined, limit=0.99 * groups.joins), method, bound="none")
    assert (found.status, found.deviation) == ("no attack found", 0)


@pytest.mark.parametrize("method", METHODS)
def test_no_solves_allowed(groups, method):
    found = attack(groups.bl1(), method, max_solves=0)
    assert found.termination == "solve limit"
    assert found.eps.tolist() == [0.0]
    assert (found.deviation, found.norm, found.lower_solves) == (0, 0.0, 0)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("most", [1, pytest.param(40, marks=pytest.mark.slow)])
def test_the_limit_on_solves_is_kept(groups, method, most):
    found = attack(groups.bl2(groups.joined), method, max_solves=most, seed=1, bound="none")
    assert found.lower_solves == len(found.history) <= most
    assert found.termination == ("solve limit" if found.lower_solves == most else "converged")


@pytest.mark.parametrize("method", METHODS)
def test_no_time(groups, method):
    found = attack(groups.bl1(), method, time_limit=0)
    assert found.termination == "time limit"
    assert (found.eps.tolist(), found.deviation) == ([0.0], 0)


def test_time_runs_out_on_the_way_and_the_best_so_far_is_kept(groups, monkeypatch):
    looks = []

    def seconds_left(lower):
        looks.append(lower)
        if len(looks) > 9:
            raise BudgetSpentError("time limit")
        return float("inf")

    monkeypatch.setattr(LowerLevel, "seconds_left", seconds_left)
    found = attack(groups.bl1(), "direct", step=1.0)
    assert found.termination == "time limit"
    assert found.deviation == groups.parted
    assert found.norm == 3.0
    assert 0 < found.lower_solves < 10


@pytest.mark.parametrize("method", METHODS)
def test_an_interrupt_keeps_the_best_so_far(groups, method):
    def stop(done, total):
        assert 0 < done <= total
        if done == (300 if method == "direct" else 3):
            raise KeyboardInterrupt

    found = attack(groups.bl1(), method, on_progress=stop)
    assert found.termination == "interrupted"
    assert found.deviation in (groups.parted, groups.joined)
    assert found.deviation == max(e.deviation for e in found.history if e.proved)
    assert found.deviation == groups.deviation(float(found.eps[0]))
    assert len(found.stages) == (0 if method == "direct" else 3)


def test_an_interrupt_before_anything(groups):
    def stop(done, total):
        raise KeyboardInterrupt

    found = attack(groups.bl1(), "direct", step=1.0, on_progress=stop)
    assert (found.termination, found.eps.tolist(), found.deviation) == ("interrupted", [0.0], 0)


@pytest.mark.parametrize("method", ["direct", "kkt"])
def test_progress_runs_up_to_the_total(groups, method):
    seen = []
    attack(groups.bl1(), method, on_progress=lambda done, total: seen.append((done, total)))
    assert all(0 < done <= total for done, total in seen)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1][0] == seen[-1][1]


@pytest.mark.parametrize("method", METHODS)
def test_the_engine_is_named(groups, method):
    found = attack(groups.bl1(), method, max_solves=3)
    if method == "direct":
        assert found.engine is None
    else:
        name, version = found.engine.rsplit(" ", 1)
        assert name in {"IPOPT in CasADi", "IPOPT executable"}
        assert all(part.isdigit() for part in version.split("."))


def trace(found):
    return [(e.eps.tolist(), e.deviation) for e in found.history]


def test_the_same_seed_gives_the_same_run(groups):
    options = {"starts": 2, "bound": "none"}
    first, again, other = (attack(groups.bl1(), "kkt", seed=s, **options) for s in (5, 5, 6))
    assert trace(first) == trace(again)
    assert first.eps.tolist() == again.eps.tolist()
    assert trace(first) != trace(other)


@pytest.mark.parametrize("method", ["kkt", "duality", "value-function"])
def test_the_start_is_used(groups, method):
    """The first lower-level solve is at the start; a start outside the ball is scaled back."""
    inside, outside = (
        attack(groups.bl1(), method, start=start, max_solves=1) for start in (-7.5, [100.0])
    )
    assert inside.history[0].eps == -7.5
    assert 17.99 < outside.history[0].size <= 18.0


@pytest.mark.parametrize("method", METHODS)
def test_the_seconds_within_solves_are_a_part_of_all(groups, method):
    found = attack(groups.bl1(), method, max_solves=3)
    assert 0 < found.seconds_solving <= found.seconds


def test_an_infinite_time_limit_is_none(groups):
    found = attack(groups.bl1(), "direct", step=1.0, time_limit=np.inf)
    assert found.deviation == attack(groups.bl1(), "direct", step=1.0).deviation


def test_a_bound_just_within_the_limit_does_not_exclude_an_attack():
    """Two points meet from sqrt(1/2) on, in a direction that is not that of a vertex."""
    A = np.array([[0.0, 0.0], 3.0 * np.array([np.cos(0.3), np.sin(0.3)])])
    model, free = ConvexClustering(A, FusionGraph.complete(2), 1.0), Perturbation.additive(A.shape)
    problem = MinPerturbation(model, free, 2.0, limit=0.5**0.5 * (1 + 1e-6))
    eps = problem.project(np.ravel([A[1], -A[1]]))
    moved = cluster(free.apply(model, eps), refine=True)
    assert moved.proved
    assert moved.n_clusters == 1
    found = attack(problem, "corners", corners=5)
    assert found.status != "no attack exists"
    assert found.bound <= problem.size(eps)
    assert attack(problem.within(0.7), "corners", corners=5).status == "no attack exists"


@pytest.mark.parametrize("method", ["direct", "exact"])  # the second reports no progress
def test_a_bar_shows_the_progress_on_stderr(groups, capsys, method):
    seen, coarse = [], {"step": 2.0} if method == "direct" else {}
    quiet = attack(groups.bl1(), method, **coarse)
    assert capsys.readouterr() == ("", "")
    found = attack(
        groups.bl1(), method, progress=True, on_progress=lambda *one: seen.append(one), **coarse
    )
    shown = capsys.readouterr()
    assert shown.out == ""
    assert method in shown.err
    assert "100%" in shown.err
    assert np.array_equal(found.eps, quiet.eps)
    assert bool(seen) == (method == "direct")


def test_a_fault_of_on_progress_ends_the_search_under_a_bar_too(groups, capsys):
    def stop(done, total):
        raise ValueError("enough")

    found = attack(groups.bl1(), "direct", progress=True, on_progress=stop)
    assert found.termination == "error: ValueError: enough"
    assert "direct" in capsys.readouterr().err


def test_no_attack_is_proved_if_a_prediction_at_zero_is_not():
    """By symmetry the score of the held-out point (1, -1) is 0 at eps = 0."""
    model = Ridge([[1.0, 0.3], [0.3, 1.0], [0.7, 0.7], [0.1, 0.1]], [1.0, 1.0, -1.0, 0.2])
    held_out = changed_predictions([[1.0, -1.0], [1.0, 0.5]])
    found = attack(MaxDeviation(model, Perturbation.targets(4), 0.5, 2, held_out), "corners")
    assert found.deviation == found.bound == 1
    assert not found.proved
    assert found.status == "unproved"
