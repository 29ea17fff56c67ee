"""Every derivative-free method: optima, budgets, seeds, norms, bounds, black boxes, exceptions."""

import time

import numpy as np
import pytest

from bilad.models import ClustererError, MaxDeviation, MinPerturbation
from bilad.models.validation import ArgumentError
from bilad.solvers import attack
from bilad.solvers.bilevel.oracle import LowerLevel
from bilad.solvers.bilevel.trace import Trace
from bilad.solvers.termination import BudgetSpentError
from bilad.solvers.upper import UPPER_METHODS
from bilad.solvers.upper.derivative_free import DERIVATIVE_FREE

BLIND = "finite-difference"  # it finds what its random starts happen to find


def search(problem, method, *arguments, **options):
    """Attack without the proved bound, which does not depend on the method."""
    return attack(problem, method, *arguments, bound="none", **options, closing="none")


def test_they_are_registered():
    assert DERIVATIVE_FREE.items() <= UPPER_METHODS.items()
    assert list(DERIVATIVE_FREE) == [
        "finite-difference",
        "differential-evolution",
        "dividing-rectangles",
        "cobyqa",
        "cobyla",
        "cma",
        "nes",
        "nomad",
        "nlopt-crs",
    ]
    for method in DERIVATIVE_FREE.values():
        assert not method.needs
        assert "restarts" in method.options


@pytest.fixture(scope="module")
def far(groups):
    """Return (BL1) with two parameters, and the best result of a grid."""
    problem = MaxDeviation(groups.model(), groups.each(), 20.0, 1)
    return problem, search(problem, "direct", step=2.0).deviation


def test_two_parameters_as_good_as_the_grid(far, method):
    problem, on_the_grid = far
    found = search(problem, method, max_solves=150)
    assert found.deviation >= (0.4 if method == BLIND else 1.0) * on_the_grid
    assert all(problem.size(seen.eps) <= 20.0 for seen in found.history)


@pytest.fixture(scope="module")
def near(groups):
    """Return (BL2) with two parameters, and the best result of a grid."""
    problem = MinPerturbation(groups.model(), groups.each(), 1.0, 2, limit=18.0)
    return problem, search(problem, "direct", step=0.3).norm


def test_the_shortest_attack_with_two_parameters(near, method):
    """A point alone leaves its group at eps = gamma first; in every norm no attack is shorter."""
    problem, on_the_grid = near
    found = search(problem, method, max_solves=200)
    assert found.norm <= (2.0 if method == BLIND else 1.4) * on_the_grid


@pytest.mark.parametrize(
    ("kind", "size", "norm"),
    [(MaxDeviation, 1.5, 1), (MinPerturbation, 8.0, 2), (MaxDeviation, 1.5, np.inf)],
)
def test_weights_stay_between_their_bounds(problems, method, kind, size, norm):
    problem = problems.edges(kind, size, norm)
    found = search(problem, method, max_solves=15)
    eps = np.array([seen.eps for seen in found.history])
    assert eps.min() >= 0
    assert eps.max() <= 1
    assert max(seen.size for seen in found.history) <= problem.radius
    assert len(found.history) == found.lower_solves <= 15


@pytest.mark.parametrize("solves", [1, 20])
def test_budgets_are_exact(groups, method, solves):
    for problem in (groups.bl1(), groups.bl2()):
        found = search(problem, method, max_solves=solves)
        assert found.lower_solves == solves
        assert found.termination == "solve limit"


def test_a_budget_of_zero(groups, method):
    found = search(groups.bl1(), method, max_solves=0)
    assert (found.termination, found.lower_solves, found.norm) == ("solve limit", 0, 0.0)
    assert not found.eps.any()


def test_a_limit_on_time(problems, method):
    began = time.perf_counter()
    found = search(problems.clouds(), method, time_limit=0.3)
    assert found.termination == "time limit"
    assert time.perf_counter() - began < 20.0  # the method may have to be imported


def test_seeds_are_reproducible(problems, method):
    runs = [search(problems.clouds(), method, seed, max_solves=30) for seed in (1, 1, 2)]
    eps = [[seen.eps.tolist() for seen in run.history] for run in runs]
    assert eps[0] == eps[1]
    # The first search of one method draws nothing.
    assert (eps[0] == eps[2]) == (method == "dividing-rectangles")


def test_the_global_generator_is_left_alone(problems, method):
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    search(problems.clouds(), method, max_solves=30)
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


def test_units_do_not_matter(groups, method):
    """The result is the same if eps is measured in another unit, a power of two."""
    shifts = [MaxDeviation(groups.model(), groups.each().in_units(u, {}), 16 / u) for u in (1, 4)]
    found = [search(problem, method, max_solves=40) for problem in shifts]
    assert found[0].deviation == found[1].deviation
    assert found[0].norm == pytest.approx(4 * found[1].norm)


@pytest.mark.parametrize(("kind", "size"), [(MaxDeviation, 4.0), (MinPerturbation, 30.0)])
def test_any_clusterer(problems, method, kind, size):
    problem = problems.clouds(kind, size)
    found = search(problem, method, max_solves=120)
    assert problem.is_attack(found.norm, found.deviation)
    assert found.proved


def test_more_parameters_than_a_grid_takes(problems, method):
    found = search(problems.clouds(size=2.0, k=32), method, max_solves=80)
    assert found.lower_solves == 80


class StrangeError(Exception):
    pass


@pytest.mark.parametrize(
    "fault", [StrangeError, KeyboardInterrupt, ClustererError, BudgetSpentError, SystemExit]
)
@pytest.mark.parametrize("first", [2, 12])
def test_exceptions_end_the_search_unchanged(groups, method, fault, first, monkeypatch):
    lower, raised = LowerLevel(groups.bl1()), []
    evaluate = lower.evaluate

    def failing(eps):
        if lower.solves + 1 >= first:
            raised.append(fault("here"))
            raise raised[-1]
        return evaluate(eps)

    monkeypatch.setattr(lower, "evaluate", failing)
    run = DERIVATIVE_FREE[method].prepare(groups.bl1(), np.random.default_rng(0), restarts=50)
    began = time.perf_counter()
    with pytest.raises(fault) as caught:
        run(lower, Trace())
    assert [caught.value] == raised
    assert time.perf_counter() - began < 2.0


def test_a_fault_of_a_clusterer_is_reported(problems, method):
    class Fragile:
        def fit_predict(self, data):
            if np.abs(data).max() > 4.5:
                raise ZeroDivisionError("far out")
            return (data[:, 0] > 1.5).astype(int)

    found = search(problems.clouds(clusterer=Fragile(), size=9.0), method, max_solves=200)
    assert "far out" in found.termination


def test_it_ends_without_a_limit_on_solves(groups, method):
    """One parameter: cached answers must not keep it going."""
    found = search(groups.bl1(), method, time_limit=20, restarts=2)
    assert found.termination == "converged"
    assert found.status in {"feasible", "optimal"}


REFUSED = [
    *[(name, {"restarts": wrong}) for name in DERIVATIVE_FREE for wrong in (0, 1.5)],
    ("nes", {"restarts": -1}),
    ("nes", {"restarts": "all"}),
    ("finite-difference", {"solver": "ipopt"}),
    ("finite-difference", {"step": 0.0}),
    ("finite-difference", {"step": "small"}),
    ("differential-evolution", {"population": 4}),
    ("dividing-rectangles", {"locally_biased": 1}),
    *[
        (name, options)
        for name in ("cobyqa", "cobyla")
        for options in ({"first_radius": 1.5}, {"first_radius": 1e-4}, {"last_radius": 0.0})
    ],
    *[
        (name, options)
        for name in ("cma", "nes")
        for options in (
            {"spread": 0.0},
            {"spread": np.inf},
            {"population": 3},
            {"population": 4.5},
        )
    ],
    ("nomad", {"first_frame": 2.0}),
    ("nomad", {"last_frame": 0.0}),
    ("nlopt-crs", {"population": 2}),
]


@pytest.mark.usefixtures("installed", "no_clustering")
@pytest.mark.parametrize(("method", "options"), REFUSED)
def test_wrong_options_are_refused_before_any_work(groups, method, options):
    with pytest.raises(ArgumentError) as caught:
        search(groups.bl1(), method, **options)
    assert caught.value.argument in options
