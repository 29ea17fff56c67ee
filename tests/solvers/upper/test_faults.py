"""Errors, interrupts and time limits: every attack returns a result with the best attack so far."""

import importlib
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from bilad.models import (
    ArgumentError,
    ConvexClustering,
    FusionGraph,
    MaxDeviation,
    MinPerturbation,
    Perturbation,
)
from bilad.models.deviation_function import DeviationFunction
from bilad.solvers import EngineError, attack, certify, drop_edges, drop_points, stationarity
from bilad.solvers.bilevel import ipopt_options
from bilad.solvers.certificates import bounds as certified
from bilad.solvers.clustering import capabilities
from bilad.solvers.clustering.evaluation import line
from bilad.solvers.termination import termination_of
from bilad.solvers.upper import reformulation

attack_module = importlib.import_module("bilad.solvers.upper.attack")
certify_module = importlib.import_module("bilad.solvers.certify")
FAULTS = [
    KeyboardInterrupt(),
    MemoryError("no room"),
    np.linalg.LinAlgError("singular"),
    OverflowError("too large"),
    EngineError("IPOPT", "died"),
]
METHODS = ["corners", "direct", "kkt"]
SOLVES = 200


def word_for(fault):
    """Return the termination with which a fault is reported."""
    if isinstance(fault, KeyboardInterrupt):
        return "interrupted"
    return f"error: {type(fault).__name__}: {fault}"[:300]


def raising(fault, function, when=lambda call, options: True):
    """Return a function that raises an exception at given calls, counted from 1."""
    calls = [0]

    def faulty(*arguments, **options):
        calls[0] += 1
        if when(calls[0], options):
            raise fault
        return function(*arguments, **options)

    return faulty


STAGES = {
    "at eps = 0": (capabilities, "solve_lower", lambda call, options: True),
    "in the search": (capabilities, "solve_lower", lambda call, options: call == 4),
    "in an evaluation": (line, "line_deviation", lambda call, options: call == 3),
    "at the best attack": (capabilities, "solve_lower", lambda call, options: call == 2),
    "in the confirmation": (
        capabilities,
        "solve_lower",
        lambda call, options: options.get("refine"),
    ),
    "in the bound": (certified, "optimum_bound", lambda call, options: True),
}


@pytest.mark.pairwise(fault=FAULTS, stage=STAGES, method=METHODS)
def test_a_fault_of_a_stage(groups, monkeypatch, method, stage, fault):
    module, name, when = STAGES[stage]
    monkeypatch.setattr(module, name, raising(fault, getattr(module, name), when))
    lower = "exact" if stage == "in the search" else "auto"
    found = attack(groups.bl1(), method, max_solves=SOLVES, lower=lower)
    assert found.termination == word_for(fault)
    best = max((seen.deviation for seen in found.history if seen.proved), default=0)
    assert found.deviation == best
    if stage != "at eps = 0":
        assert found.problem.deviation.value(found.baseline.labels, found.labels) == best
    assert found.status in (("feasible", "optimal") if best else ("no attack found",))
    searched = stage == "in the confirmation" or (
        stage == "in the bound" and not isinstance(fault, KeyboardInterrupt)
    )
    assert (best > 0) >= searched, "what was found before or after the fault is kept"


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
@pytest.mark.parametrize("call", ["open", "first solve", "second solve"])
def test_a_fault_of_the_engine(groups, monkeypatch, call, fault):
    session = reformulation.IpoptSession
    if call == "open":
        monkeypatch.setattr(reformulation, "IpoptSession", raising(fault, session))
    else:
        number = 1 if call == "first solve" else 2
        faulty = raising(fault, session.solve, lambda calls, options: calls == number)
        monkeypatch.setattr(session, "solve", lambda *given, **options: faulty(*given, **options))
    found = attack(groups.bl1(), "kkt")
    assert found.termination == word_for(fault)
    assert len(found.stages) == (1 if call == "second solve" else 0)
    assert found.deviation == max((seen.deviation for seen in found.history), default=0)


def test_a_missing_engine_is_reported_before_any_work(groups, no_clustering, monkeypatch):
    fault = EngineError("IPOPT", "not there")
    monkeypatch.setattr(ipopt_options, "IpoptSession", raising(fault, None))
    for method in ("kkt", "duality", "value-function"):
        with pytest.raises(EngineError, match="not there"):
            attack(groups.bl1(), method)


def test_an_option_that_ipopt_refuses_is_reported_before_any_work(groups, no_clustering):
    with pytest.raises(ArgumentError, match=r"ipopt_options: .*no_such_option"):
        attack(groups.bl1(), "kkt", ipopt_options={"no_such_option": 1})


@pytest.mark.parametrize("at", [1, 5])
@pytest.mark.parametrize("fault", FAULTS[:3], ids=lambda fault: type(fault).__name__)
def test_a_fault_of_a_deviation_of_the_users_own(groups, at, fault):
    def moved(before, after):
        return float((before != after).sum())

    own = DeviationFunction(
        "own", raising(fault, moved, lambda call, options: call == at), lambda n: float(n)
    )
    found = attack(groups.bl1(deviation=own), "direct", step=6.0)
    assert found.termination == word_for(fault)
    assert found.lower_solves == at - 1


def test_a_callback_that_raises_ends_the_search(groups):
    def stop(done, total):
        if done == 300:
            raise ZeroDivisionError("in the callback")

    found = attack(groups.bl1(), "direct", on_progress=stop)
    assert found.termination == "error: ZeroDivisionError: in the callback"
    assert found.deviation == groups.parted
    with pytest.raises(ArgumentError, match="on_progress"):
        attack(groups.bl1(), "direct", on_progress=3)


def test_a_long_message_is_shortened(groups):
    def stop(done, total):
        raise ValueError("x" * 5000)

    assert len(attack(groups.bl1(), "direct", on_progress=stop).termination) <= 300


def test_a_solve_that_broke_down_is_recorded(groups, monkeypatch):
    status = "error: LinAlgError: singular"
    solve, calls = capabilities.solve_lower, [0]

    def broken(*given, **options):
        calls[0] += 1
        found = solve(*given, **options)
        return replace(found, status=status) if calls[0] == 4 else found

    monkeypatch.setattr(capabilities, "solve_lower", broken)
    found = attack(groups.bl1(), "direct", lower="exact", step=1.0)
    assert found.termination == "converged"
    assert [seen.error for seen in found.history].count(status) == 1


def test_no_attack_exists_for_every_termination(groups):
    """The bound proves this before any solve."""
    small = groups.bl1(0.5 * groups.parts)
    for options in ({"max_solves": 0}, {"max_solves": 3}, {"time_limit": 60.0}, {}):
        found = attack(small, "corners", **options)
        assert (found.status, found.bound) == ("no attack exists", 0)
        assert (found.termination, found.lower_solves) == ("converged", 0)
    found = attack(small, "corners", max_solves=0, bound="tight")
    assert (found.status, found.termination) == ("no attack exists", "solve limit")


def test_the_time_limit_ends_any_step():
    """This includes a step that does not check the time, in any thread."""
    endings = []

    def endless():
        while True:
            pass

    def run():
        endings.append(termination_of(endless, 0.05))

    run()
    worker = threading.Thread(target=run)
    worker.start()
    worker.join(30)
    assert endings == ["time limit", "time limit"]
    assert termination_of(lambda: time.sleep(0), 30.0) == "converged"
    assert termination_of(endless, 0.0) == "time limit"


@pytest.mark.parametrize("stage", ["bound", "open"])
def test_a_step_that_never_ends(groups, monkeypatch, stage):
    def endless(*given, **options):
        while True:
            time.sleep(0.001)

    if stage == "bound":
        monkeypatch.setattr(certified, "optimum_bound", endless)
    else:
        monkeypatch.setattr(reformulation, "IpoptSession", endless)
    found = attack(groups.bl1(), "kkt", time_limit=1.0)
    assert found.bound is None or stage == "open"
    assert found.termination in ("time limit", "converged")


@pytest.mark.parametrize("budget", [1e151, 1e154, 1e160, 1e300, 1e-170])
@pytest.mark.parametrize("norm", [1, 2, np.inf])
def test_numbers_that_cannot_be_squared_are_refused(groups, no_clustering, budget, norm):
    for make in (groups.bl1, lambda size, **kw: groups.bl2(limit=size, **kw)):
        problem = make(budget, norm=norm)
        for call in (lambda p: attack(p, "corners", max_solves=6), certify):
            with pytest.raises(ArgumentError, match="^problem: "):
                call(problem)


@pytest.mark.parametrize("budget", [1e100, 1e149])
def test_large_budgets_work(groups, budget):
    found = attack(groups.bl1(budget, norm=1), "corners", max_solves=6, bound="none")
    assert found.deviation == groups.parted


@pytest.mark.parametrize(
    ("keyword", "meant"),
    [("max_solve", "max_solves"), ("timelimit", "time_limit"), ("Seed", "seed"), ("stepp", "step")],
)
def test_a_mistyped_keyword_is_named(groups, no_clustering, keyword, meant):
    with pytest.raises(ArgumentError, match=rf"keyword: got '{keyword}'.*did you mean .*'{meant}'"):
        attack(groups.bl1(), "direct", **{keyword: 3})


PLANE = np.array([[0.0, 0.2], [0.3, 0.0], [2.0, 0.1], [2.2, 0.4], [2.1, 0.0]])


def plane(kind=MaxDeviation, size=1.2):
    model = ConvexClustering(PLANE, FusionGraph.complete(5, 0.2), 0.5)
    return kind(model, Perturbation.additive(PLANE.shape, points=[2]), size)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
@pytest.mark.parametrize(
    ("module", "name"),
    [
        (certify_module, "confirm"),
        (certified, "norm_bound"),
        (certified, "attack_directions"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_fault_in_a_certificate(monkeypatch, module, name, fault):
    monkeypatch.setattr(module, name, raising(fault, getattr(module, name)))
    proof = certify(plane(), max_solves=20)
    assert proof.termination == word_for(fault)
    assert proof.status in ("attacked", "unknown", "robust")
    assert name == "attack_directions" or proof.lower == 0


def test_a_certificate_without_time():
    proof = certify(plane(), time_limit=0)
    assert (proof.termination, proof.status, proof.lower) == ("time limit", "unknown", 0)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
@pytest.mark.parametrize("call", [1, 3])
@pytest.mark.parametrize("drop", [drop_points, drop_edges])
def test_a_fault_in_a_removal(monkeypatch, drop, call, fault):
    faulty = raising(fault, capabilities.solve_lower, lambda calls, options: calls == call)
    monkeypatch.setattr(capabilities, "solve_lower", faulty)
    found = drop(plane().model, 1)
    assert found.termination == word_for(fault)
    assert found.lower_solves == max(call - 2, 0)
    if call == 1:
        assert (found.status, found.deviation) == ("undecided", 0)
    else:
        assert found.status == ("feasible" if found.deviation else "no attack found")


def test_a_removal_without_time():
    found = drop_points(plane().model, 1, time_limit=0)
    assert (found.termination, found.status) == ("time limit", "undecided")


def test_a_fault_in_stationarity(monkeypatch):
    module = importlib.import_module("bilad.solvers.bilevel.stationarity")
    found = attack(plane(), "corners", max_solves=6, bound="none")
    fault = EngineError("IPOPT", "died")
    session = module.IpoptSession
    monkeypatch.setattr(session, "solve", raising(fault, session.solve))
    report = stationarity(found)
    assert (report.kind, report.termination) == ("none", word_for(fault))
    assert stationarity(found, time_limit=0).termination == "time limit"


def test_stationarity_needs_a_solution_at_zero(monkeypatch):
    monkeypatch.setattr(capabilities, "solve_lower", raising(MemoryError(), None))
    nothing = attack(plane(), "corners")
    with pytest.raises(ArgumentError, match="found"):
        stationarity(nothing)


@pytest.mark.parametrize("kind", [MaxDeviation, MinPerturbation])
@pytest.mark.parametrize("method", ["auto", "exact", "direct", "corners"])
def test_eps_that_cannot_move_is_refused(no_clustering, kind, method):
    frozen = Perturbation.linear(PLANE.shape, np.eye(10)[:, :1], lower=0.0, upper=0.0)
    model = ConvexClustering(PLANE, FusionGraph.complete(5), 0.1, 1)
    problem = kind(model, frozen, 2.0, 2)
    problem = problem.within(1.0) if kind is MinPerturbation else problem
    with pytest.raises(ArgumentError, match="bounds of eps that leave eps = 0 only"):
        attack(problem, method)
