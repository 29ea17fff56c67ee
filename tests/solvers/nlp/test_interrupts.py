"""Ctrl-C during a solve ends it, and is not swallowed."""

import os
import signal
import threading
import time

import pyomo.environ as pyo
import pytest

from bilad.solvers.nlp import IpoptSession, NlpStatus

if os.name == "nt":
    pytest.skip("needs signals between threads", allow_module_level=True)


@pytest.fixture(scope="module")
def endless():
    """A session whose solve takes many thousand iterations: Rosenbrock's chain, a bad start."""
    n = 2000
    m = pyo.ConcreteModel()
    m.x = pyo.Var(range(n), initialize=-1.0)
    m.cost = pyo.Objective(
        expr=sum(100 * (m.x[i + 1] - m.x[i] ** 2) ** 2 + (1 - m.x[i]) ** 2 for i in range(n - 1))
    )
    return IpoptSession(m, {"max_iter": 10**7}, "casadi")


@pytest.fixture
def default_interrupts():
    """Python's own handler: a job in the background of a shell is started with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("default_interrupts")
def test_keyboard_interrupt_comes_through(endless):
    before = signal.getsignal(signal.SIGINT)
    timer = threading.Timer(0.5, signal.pthread_kill, [threading.get_ident(), signal.SIGINT])
    timer.start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        endless.solve(time_limit=60)
    timer.join()
    assert time.monotonic() - began < 30
    assert signal.getsignal(signal.SIGINT) is before
    # The interrupted solve left the variables at their start.
    result = endless.solve(time_limit=1e-6, load=False)
    assert next(iter(result.values)).value == -1.0
    assert result.status is NlpStatus.TIME_LIMIT


class OutOfTimeError(Exception):
    """Raised by the handler of a signal."""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGALRM", "SIGUSR1"])
def test_a_handler_of_any_signal_runs(name, endless):
    """A handler that raises nothing lets the solve go on; one that raises ends it."""
    handled = []

    def handler(number, _):
        handled.append(number)
        if len(handled) == 2:
            raise OutOfTimeError

    number = getattr(signal, name)
    before = signal.signal(number, handler)
    main = threading.get_ident()
    timers = [threading.Timer(s, signal.pthread_kill, [main, number]) for s in (0.1, 0.8)]
    began = time.monotonic()
    try:
        for timer in timers:
            timer.start()
        with pytest.raises(OutOfTimeError):
            endless.solve(time_limit=60)
        assert signal.getsignal(number) is handler
    finally:
        for timer in timers:
            timer.join()
        signal.signal(number, before)
    assert handled == [number, number]
    assert time.monotonic() - began < 30
    assert endless.solve(time_limit=1e-6, load=False).status is NlpStatus.TIME_LIMIT


def test_solves_in_another_thread():
    m = pyo.ConcreteModel()
    m.x = pyo.Var(initialize=1.0)
    m.cost = pyo.Objective(expr=(m.x - 2) ** 2)
    found = []
    thread = threading.Thread(target=lambda: found.append(IpoptSession(m, engine="casadi").solve()))
    thread.start()
    thread.join()
    assert found[0].status is NlpStatus.OPTIMAL
