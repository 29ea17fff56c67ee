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


def endless():
    """Rosenbrock's chain from a bad start: many thousand iterations."""
    n = 2000
    m = pyo.ConcreteModel()
    m.x = pyo.Var(range(n), initialize=-1.0)
    m.cost = pyo.Objective(
        expr=sum(100 * (m.x[i + 1] - m.x[i] ** 2) ** 2 + (1 - m.x[i]) ** 2 for i in range(n - 1))
    )
    return m


@pytest.fixture
def default_interrupts():
    """Python's own handler: a job in the background of a shell is started with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("default_interrupts")
def test_keyboard_interrupt_comes_through():
    m = endless()
    session = IpoptSession(m, {"max_iter": 10**7}, "casadi")
    before = signal.getsignal(signal.SIGINT)
    timer = threading.Timer(0.5, signal.pthread_kill, [threading.get_ident(), signal.SIGINT])
    timer.start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        session.solve(time_limit=60)
    timer.join()
    assert time.monotonic() - began < 30
    assert signal.getsignal(signal.SIGINT) is before
    assert m.x[0].value == -1.0
    assert session.solve(time_limit=0.01).status is NlpStatus.TIME_LIMIT


def test_a_handler_that_raises_nothing_stops_the_solve():
    """SIGTERM is handled once, and the solve is over."""
    handled = []
    before = signal.signal(signal.SIGTERM, lambda *given: handled.append(given))
    session = IpoptSession(endless(), {"max_iter": 10**7}, "casadi")
    timer = threading.Timer(0.3, signal.pthread_kill, [threading.get_ident(), signal.SIGTERM])
    try:
        timer.start()
        result = session.solve(time_limit=60)
        timer.join()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert handled == [(signal.SIGTERM, None)]
    assert (result.status, result.objective is None) == (NlpStatus.USER_STOP, False)
    assert session.solve(time_limit=0.01).status is NlpStatus.TIME_LIMIT


def test_solves_in_another_thread():
    m = pyo.ConcreteModel()
    m.x = pyo.Var(initialize=1.0)
    m.cost = pyo.Objective(expr=(m.x - 2) ** 2)
    found = []
    thread = threading.Thread(target=lambda: found.append(IpoptSession(m, engine="casadi").solve()))
    thread.start()
    thread.join()
    assert found[0].status is NlpStatus.OPTIMAL
