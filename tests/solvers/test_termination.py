"""A step that is cut short leaves nothing behind: no watchdog, no half-made import."""

import sys
import threading
import time

import numba
import pytest
from numba.core.compiler_lock import global_compiler_lock

from bilad.solvers import termination
from bilad.solvers.termination import termination_of


def watchdogs():
    return [t for t in threading.enumerate() if isinstance(t, termination._Watchdog)]


def test_an_interrupt_while_the_watchdog_starts_ends_it(monkeypatch):
    start = termination._Watchdog.start

    def interrupted(watchdog):
        start(watchdog)
        raise KeyboardInterrupt

    monkeypatch.setattr(termination._Watchdog, "start", interrupted)
    assert termination_of(lambda: None, 0.2) == "interrupted"
    assert not watchdogs()
    time.sleep(0.4)  # nothing is raised here


def test_an_interrupt_while_the_watchdog_is_stopped_is_not_lost(monkeypatch):
    stop, calls = termination._Watchdog.stop, []

    def interrupted(watchdog):
        calls.append(watchdog)
        if len(calls) == 1:
            raise KeyboardInterrupt
        stop(watchdog)

    monkeypatch.setattr(termination._Watchdog, "stop", interrupted)
    assert termination_of(lambda: None, 5.0) == "interrupted"
    assert len(calls) > 1
    assert not watchdogs()


def test_an_import_is_not_cut_short(tmp_path, monkeypatch):
    (tmp_path / "slow_to_import.py").write_text("import time\ntime.sleep(0.5)\nready = True\n")
    monkeypatch.syspath_prepend(tmp_path)

    def step():
        import slow_to_import  # noqa: F401

        while True:
            pass

    assert termination_of(step, 0.1) == "time limit"
    assert sys.modules.pop("slow_to_import").ready


def test_an_exit_of_a_context_is_not_cut_short_but_what_calls_the_step_does_not_count():
    done = []

    class Slow:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            for _ in range(30):
                time.sleep(0.01)
            done.append(True)

    class AtTheEnd(Slow):
        def __exit__(self, *_):
            def step():
                with Slow():
                    pass
                while True:
                    pass

            done.append(termination_of(step, 0.1))

    with AtTheEnd():
        pass
    assert done == [True, "time limit"]


@pytest.mark.parametrize("error", [RuntimeError("in compiled code"), ValueError("of C")])
def test_an_error_that_compiled_code_makes_of_the_time_limit(error):
    def step():
        try:
            while True:
                pass
        except BaseException:
            raise error from None

    assert termination_of(step, 0.1) == "time limit"
    assert termination_of(lambda: (_ for _ in ()).throw(error), 5.0).startswith("error: ")


def test_numba_is_not_disturbed_while_it_loads_compiled_code(monkeypatch):
    """It fills its tables of types then, before it takes the lock of its compiler."""
    done = []

    class Cache:
        def load_overload(self, signature, context):
            until = time.perf_counter() + 0.4
            while time.perf_counter() < until:
                pass
            done.append(signature)

        def save_overload(self, signature, compiled):
            pass

    @numba.njit
    def half(x):
        return 0.5 * x

    monkeypatch.setattr(half, "_cache", Cache())

    def step():
        half(1.0)
        while True:
            pass

    assert termination_of(step, 0.1) == "time limit"
    assert len(done) == 1


def test_numba_is_not_disturbed_while_it_compiles():
    """An exception inside a callback of LLVM would be swallowed, with a warning."""
    done = []

    @global_compiler_lock
    def compile_slowly():
        until = time.perf_counter() + 0.4
        while time.perf_counter() < until:
            pass
        done.append(True)

    def step():
        compile_slowly()
        while True:
            pass

    assert termination_of(step, 0.1) == "time limit"
    assert done


@pytest.mark.parametrize(("seconds", "ending"), [(5.0, "converged"), (1e-6, "time limit")])
def test_a_debugger_does_not_hang_after_a_time_limit(seconds, ending):
    def debugged():
        sys.settrace(lambda *given: None)
        endings.append(termination_of(lambda: time.sleep(0.05), seconds))

    endings = []
    thread = threading.Thread(target=debugged, daemon=True)
    thread.start()
    thread.join(20)
    assert endings == [ending]
