"""The closing search: what it does after a method's last step, and that `own` is unchanged."""

import functools
import importlib

import numpy as np
import pytest
from sklearn.cluster import KMeans

from bilad.models import (
    BlackBox,
    ConvexClustering,
    FusionGraph,
    MaxDeviation,
    MinPerturbation,
    Perturbation,
)
from bilad.solvers import attack
from bilad.solvers.bilevel import oracle
from bilad.solvers.nlp import IpoptSession
from bilad.solvers.upper import REFORMULATIONS, UPPER_METHODS, refusal
from bilad.solvers.upper.closing import CLOSINGS, LEAST_SOLVES

attack_module = importlib.import_module("bilad.solvers.upper.attack")
KINDS = [MaxDeviation, MinPerturbation]
LONG = {*REFORMULATIONS, "dividing-rectangles", "cma", "differential-evolution"}
WITHOUT_PROOF = [
    name
    for name, method in UPPER_METHODS.items()
    if not method.has_bound and name != "greedy"  # which is for other problems
]


def on_a_line(kind=MaxDeviation, size=3.0, **options):
    """Return two clouds on a line, with k = 2 points of the first free: every method applies."""
    A = np.array([0.0, 0.1, 0.25, 0.3, 2.0, 2.1, 2.3])[:, None]
    model = ConvexClustering(A, FusionGraph.complete(len(A)), 0.05, 1)
    options = {"limit": 3.0, **options} if kind is MinPerturbation else options
    return kind(model, Perturbation.additive(A.shape, points=[1, 3]), size, **options)


def run(problem, method, closing, **options):
    return attack(problem, method, bound="none", closing=closing, **options)


def seen(found, until=None):
    return [(e.eps.tolist(), e.deviation, e.proved) for e in found.history][:until]


def same(point, other):
    return (point.eps.tolist(), point.norm, point.deviation) == (
        other.eps.tolist(),
        other.norm,
        other.deviation,
    )


@pytest.mark.pairwise(method=UPPER_METHODS, kind=KINDS, most=[0, 17, None])
@pytest.mark.usefixtures("installed")
def test_own_does_not_depend_on_closing(method, kind, most, monkeypatch):
    monkeypatch.setattr(attack_module, "LEAST_SOLVES", 50)
    problem = on_a_line(kind)
    if refusal(UPPER_METHODS[method], problem) is not None:
        problem = kind(problem.model, Perturbation.shift(np.eye(7)[:, :1]), 3.0)
    if method == "greedy":
        problem = kind(problem.model, Perturbation.edges(problem.model.graph, range(9)), 2, "count")
    few = {"restarts": 1} if "restarts" in UPPER_METHODS[method].options else {}
    few = {"step": 0.75} if method == "direct" else few
    most = 40 if most is None and method in LONG else most
    runs = [run(problem, method, closing, max_solves=most, seed=3, **few) for closing in CLOSINGS]
    none = runs[0]
    assert (none.closing_solves, none.closing_seconds) == (0, 0.0)
    for closing, found in zip(CLOSINGS, runs, strict=True):
        assert found.closing == closing
        assert same(found.own, none.own)
        assert found.lower_solves - found.closing_solves == none.lower_solves
        assert seen(found, none.lower_solves) == seen(none), "the method's own part"
        assert [stage.eps.tolist() for stage in found.stages] == [
            stage.eps.tolist() for stage in none.stages
        ]
        assert 0 <= found.closing_seconds <= found.seconds
        assert most is None or found.lower_solves <= most
        rank = problem.rank
        if found.own.norm > 0:
            best = rank(found.norm, found.deviation)
            assert best >= rank(found.own.norm, found.own.deviation)


@pytest.mark.parametrize("method", WITHOUT_PROOF)
@pytest.mark.usefixtures("installed")
def test_nothing_is_done_after_the_method_without_closing(method, monkeypatch):
    def forbidden(*arguments):
        raise AssertionError("closed")

    monkeypatch.setattr(attack_module, "close", forbidden)
    found = run(on_a_line(), method, "none", max_solves=12)
    assert not found.termination.startswith("error")
    assert (
        run(on_a_line(), method, "ray", max_solves=12).termination
        == "error: AssertionError: closed"
    )


@pytest.mark.parametrize(
    ("method", "kind"),
    [("kkt", MaxDeviation), ("duality", MinPerturbation), ("value-function", MaxDeviation)],
)
def test_own_of_a_reformulation_is_a_stage_and_never_the_start(method, kind):
    """The start is the best attack, but only stages count as results of the method."""
    problem = on_a_line(kind)
    best = run(problem, "direct", "search", step=0.5)
    assert best.norm > 0
    for start in (best.eps, 0.999 * best.eps):
        found = run(problem, method, "none", start=start, max_solves=40)
        stages = [stage.eps.tolist() for stage in found.stages]
        assert found.own.norm == 0 or found.own.eps.tolist() in stages
        ranks = [
            problem.rank(problem.size(stage.eps), stage.deviation)
            for stage in found.stages
            if problem.is_attack(problem.size(stage.eps), stage.deviation)
        ]
        if found.own.norm > 0:
            assert problem.rank(found.own.norm, found.own.deviation) == max(ranks)
        assert problem.rank(found.norm, found.deviation) >= problem.rank(
            best.norm, best.deviation
        ) or (start is not best.eps), "what is reported may be the start"


def test_an_attack_at_the_start_is_not_own_where_no_stage_was_solved(monkeypatch):
    """IPOPT raises an error in the first stage."""

    def broken(*arguments, **options):
        raise RuntimeError("died")

    problem = on_a_line()
    best = run(problem, "direct", "none", step=0.5)
    monkeypatch.setattr(IpoptSession, "solve", broken)
    found = run(problem, "kkt", "search", start=best.eps)
    assert found.termination == "error: RuntimeError: died"
    assert found.own.norm == found.own.deviation == 0.0
    assert not found.own.eps.any()
    assert found.deviation == best.deviation, "the start was evaluated"
    assert (found.closing_solves, found.closing_seconds) == (0, 0.0), (
        "nothing goes on after an error"
    )


@pytest.mark.parametrize(("closing", "extra"), [("ray", 1), ("search", 0), ("search", 5)])
def test_closing_may_use_the_solves_that_the_method_leaves(closing, extra):
    problem = on_a_line()
    alone = run(problem, "fgsm", "none")
    most = alone.lower_solves + extra
    found = run(problem, "fgsm", closing, max_solves=most)
    free = run(problem, "fgsm", closing)
    assert found.closing_solves == min(extra, free.closing_solves)
    assert found.lower_solves == alone.lower_solves + found.closing_solves <= most
    cut = free.closing_solves > extra
    assert found.termination == ("solve limit" if cut else "converged")


def test_closing_has_a_limit_of_its_own(monkeypatch):
    monkeypatch.setattr(attack_module, "LEAST_SOLVES", 5)
    found = run(on_a_line(), "random", "search", corners=2)
    assert found.closing_solves == 5
    assert found.termination == "converged", "its own limit ends nothing"
    longer = run(on_a_line(), "random", "search", corners=4)
    assert longer.closing_solves <= max(5, longer.lower_solves - longer.closing_solves)
    assert LEAST_SOLVES == 1000


@pytest.mark.parametrize("queries", [0, 1, 6, 9])
def test_closing_keeps_the_queries_of_a_black_box(queries):
    asked = []

    class Counting(KMeans):
        def fit_predict(self, X, y=None, sample_weight=None):
            asked.append(X)
            return (X[:, 0] > 1.0).astype(int)

    line = on_a_line()
    problem = MaxDeviation(BlackBox(line.model.data, Counting(2), queries), line.perturbation, 3.0)
    found = run(problem, "random", "search", corners=4)
    assert found.lower_solves <= queries
    assert len(asked) <= queries + 2 + 8  # twice at eps = 0, and to confirm
    assert same(found.own, run(problem, "random", "none", corners=4).own)


class Raising:
    """A clusterer that splits at a threshold, and raises an exception from one query on."""

    def __init__(self, calls, at, fault):
        self.calls, self.at, self.fault = calls, at, fault

    def get_params(self, deep=True):
        return {"calls": self.calls, "at": self.at, "fault": self.fault}

    def fit_predict(self, data):
        self.calls.append(0)
        if len(self.calls) >= self.at:
            raise self.fault
        return (data[:, 0] > 1.0).astype(int)


@pytest.mark.parametrize("fault", [ZeroDivisionError("far out"), KeyboardInterrupt()])
@pytest.mark.parametrize("kind", KINDS)
def test_an_error_of_a_black_box_ends_closing_and_keeps_the_result(kind, fault, monkeypatch):
    base = importlib.import_module("sklearn.base")
    monkeypatch.setattr(base, "clone", lambda clusterer, safe=True: clusterer)
    line = on_a_line(kind)

    def made(at):
        size, options = (3.0, {}) if kind is MaxDeviation else (2.0, {"limit": 3.0})
        box = BlackBox(line.model.data, Raising([], at, fault))
        return kind(box, line.perturbation, size, **options)

    none = run(made(np.inf), "random", "none", corners=4)
    assert none.norm > 0
    found = run(made(2 + none.lower_solves + 2), "random", "search", corners=4)
    assert found.closing_solves == 1
    word = "interrupted" if isinstance(fault, KeyboardInterrupt) else "far out"
    assert word in found.termination
    assert same(found.own, none.own)
    assert seen(found, none.lower_solves) == seen(none)
    assert (
        found.deviation
        == max(e.deviation for e in found.history if found.problem.is_attack(e.size, e.deviation))
        or kind is MinPerturbation
    )
    assert found.norm > 0


@pytest.mark.parametrize(
    ("method", "share", "kind"),
    [
        ("kkt", 0.5, MaxDeviation),
        ("fgsm", 0.0, MinPerturbation),
        ("fgsm", 1.0, MaxDeviation),
        ("random", 0.0, MaxDeviation),
        ("random", 1.0, MinPerturbation),
    ],
)
def test_ctrl_c_during_closing_keeps_the_result(method, kind, share, monkeypatch):
    problem, evaluation = on_a_line(kind), oracle.Evaluation
    few = {"corners": 1} if method == "random" else {}
    none, free = (run(problem, method, closing, **few) for closing in ("none", "search"))
    assert free.closing_solves > 0
    call, calls = max(1, int(share * free.closing_solves)), [0]

    def faulty(*arguments, **options):
        calls[0] += 1
        if calls[0] == 1 + none.lower_solves + call:  # one at eps = 0
            raise KeyboardInterrupt
        return evaluation(*arguments, **options)

    monkeypatch.setattr(oracle, "Evaluation", faulty)
    found = run(problem, method, "search", **few)
    assert found.termination == "interrupted"
    assert same(found.own, none.own)
    assert found.closing_solves == call - 1
    assert found.closing_seconds > 0
    assert seen(found) == seen(free, none.lower_solves + call - 1)
    rank = problem.rank
    attacks = [e for e in found.history if e.proved and problem.is_attack(e.size, e.deviation)]
    if attacks:
        best = max(attacks, key=lambda e: rank(e.size, e.deviation))
        assert rank(found.norm, found.deviation) == rank(best.size, best.deviation)


def test_time_that_is_over_ends_closing(monkeypatch):
    """A fifth of the time is reserved for closing, whose end is the time limit."""
    ends = []

    def endless(lower, *arguments):
        ends.append(lower.deadline)
        while True:
            lower.seconds_left()

    monkeypatch.setattr(attack_module, "close", endless)
    found = run(on_a_line(), "random", "search", corners=1, time_limit=0.4)
    assert found.termination == "time limit"
    assert 0 < found.closing_seconds <= found.seconds
    assert same(found.own, run(on_a_line(), "random", "none", corners=1).own)


def test_a_method_that_uses_up_its_time_leaves_a_fifth_for_closing():
    def busy(problem, rng):
        def work(lower, trace):
            while True:
                deadlines.append(lower.deadline - lower.began)
                lower.seconds_left()

        return work

    deadlines = []
    methods = {"busy": importlib.import_module("bilad.solvers.upper").new_method(busy)}
    original = attack_module.UPPER_METHODS
    attack_module.UPPER_METHODS = methods
    try:
        found = run(on_a_line(), "busy", "search", time_limit=2.0)
        assert found.termination == "time limit"
        assert found.closing_solves > 0
        assert max(deadlines) <= 0.8 * 2.0 + 0.1
        assert found.own.norm == 0 < found.norm
        run(on_a_line(), "busy", "none", time_limit=0.3)
        assert deadlines[-1] == pytest.approx(0.3, abs=0.01)
    finally:
        attack_module.UPPER_METHODS = original


@pytest.mark.parametrize("fault", [ValueError("enough"), KeyboardInterrupt()])
def test_a_callback_that_raises_an_error_ends_closing(fault):
    def stop(done, total):
        raise fault

    found = run(on_a_line(), "random", "search", corners=4, on_progress=stop)
    assert found.termination in ("error: ValueError: enough", "interrupted")
    assert (found.lower_solves, found.closing_solves) == (1, 0)


@pytest.mark.parametrize("method", ["random", "kkt"])
def test_closing_reports_no_progress(method):
    told = {}
    for closing in ("none", "search"):
        told[closing] = []
        tell = functools.partial(
            lambda kept, done, total: kept.append((done, total)), told[closing]
        )
        run(on_a_line(), method, closing, on_progress=tell)
    assert told["none"] == told["search"]


def ray(kind, groups):
    return groups.bl1() if kind is MaxDeviation else groups.bl2(groups.joined)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", ["exact", "milp"])
def test_no_closing_follows_a_method_that_attained_its_bound(groups, method, kind):
    found = attack(ray(kind, groups), method)
    assert found.closing == "search"
    assert found.closing_solves == 0
    assert found.status == "optimal"


def test_no_closing_follows_a_proof_that_no_attack_exists(groups):
    found = attack(groups.bl1(0.5 * groups.parts), "exact", bound="none")
    assert (found.status, found.closing_solves) == ("no attack exists", 0)


def test_closing_follows_a_method_whose_bound_is_not_attained(groups):
    """A bound that is proved for some eps only excludes no attack, so closing may follow."""
    found = attack(groups.bl1(), "milp", coincidences=False)
    assert found.closing_seconds > 0
    assert found.deviation == groups.joined


BOUNDS = {"from below": (0.0, np.inf), "from above": (-np.inf, 0.0), "to one side": (-1.0, 0.0)}


@pytest.mark.pairwise(bounds=BOUNDS, kind=KINDS, entries=[1, 2], norm=[1, 2, np.inf])
def test_closing_stays_within_one_sided_bounds(kind, bounds, entries, norm):
    line = on_a_line()
    low, high = BOUNDS[bounds]
    T = line.perturbation.operators["data"][:, :entries]
    bounded = Perturbation.linear(line.model.data.shape, T, lower=low, upper=high)
    options = {"limit": 3.0} if kind is MinPerturbation else {}
    problem = kind(line.model, bounded, 3.0 if kind is MaxDeviation else 2.0, norm, **options)
    few = {"corners": 1, "max_solves": 80}
    none, found = (run(problem, "random", closing, **few) for closing in ("none", "search"))
    assert same(found.own, none.own)
    assert not found.termination.startswith("error")
    for evaluation in found.history:
        assert (evaluation.eps >= low).all()
        assert (evaluation.eps <= high).all()
        assert evaluation.size <= problem.radius
