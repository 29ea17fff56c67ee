"""Which engine is found, and what is said of one that does not start."""

import re
import sys

import pyomo.environ as pyo
import pytest

from bilad.models.validation import ArgumentError
from bilad.solvers.nlp import EngineError, IpoptSession, NlpStatus, casadi_engine, find_engine

BROKEN = "#!/bin/sh\necho 'libgfortran.so.3: cannot open shared object file' >&2\nexit 1\n"


def model():
    m = pyo.ConcreteModel()
    m.x = pyo.Var(initialize=1.0)
    m.cost = pyo.Objective(expr=(m.x - 2) ** 2)
    return m


def test_reports_engine_and_version(engine):
    session = IpoptSession(model(), engine=engine)
    result = session.solve()
    names = {"casadi": "IPOPT in CasADi", "executable": "IPOPT executable"}
    assert result.engine == session.engine == names[engine]
    assert re.fullmatch(r"3\.\d+\.\d+", result.version)
    assert session.version == result.version


@pytest.mark.usefixtures("double")
def test_auto_prefers_the_executable():
    assert find_engine().name == "IPOPT executable"


@pytest.mark.usefixtures("no_ipopt")
def test_auto_without_executable():
    assert find_engine("auto").name == "IPOPT in CasADi"


def test_unknown_name():
    with pytest.raises(ArgumentError, match=r"engine: got 'cplex', expected .*'casadi'"):
        find_engine("cplex")


@pytest.mark.usefixtures("no_ipopt")
def test_no_executable():
    with pytest.raises(EngineError, match="no `ipopt` on PATH; get one with `pip install casadi`"):
        find_engine("executable")


def test_broken_executable(put_on_path):
    path = put_on_path(BROKEN)
    with pytest.raises(EngineError, match=f"{path} --version` ended with code 1 .*libgfortran"):
        find_engine("executable")
    with pytest.warns(RuntimeWarning, match=f"falling back to CasADi's IPOPT; .*{path}"):
        assert find_engine("auto").name == "IPOPT in CasADi"


def test_executable_of_another_machine(put_on_path):
    put_on_path("#!/no/such/interpreter\n")
    with pytest.raises(EngineError, match="cannot be started"):
        find_engine("executable")


def test_another_solver_under_the_name(put_on_path):
    put_on_path("#!/bin/sh\necho 'pounce 0.13.0'\n")
    with pytest.raises(EngineError, match="is not IPOPT: it calls itself 'pounce"):
        find_engine("executable")


def test_executable_that_breaks_down_later(put_on_path):
    put_on_path('#!/bin/sh\n[ "$1" = --version ] && echo "Ipopt 3.14.19" && exit 0\nexit 7\n')
    with pytest.raises(EngineError, match=r"ended with code 7 \(it printed nothing\)"):
        IpoptSession(model(), engine="executable").solve()


def test_executable_that_hangs_is_ended(put_on_path, monkeypatch):
    monkeypatch.setattr("bilad.solvers.nlp.executable_engine.GRACE_SECONDS", 0.2)
    put_on_path(
        f"#!{sys.executable}\nimport sys, time\n"
        "print('Ipopt 3.14.19') if '--version' in sys.argv else time.sleep(60)\n"
    )
    m = model()
    result = IpoptSession(m, engine="executable").solve(time_limit=0.1)
    assert result.status is NlpStatus.TIME_LIMIT
    assert result.objective is None
    assert m.x.value == 1.0
    assert result.seconds < 20


def test_no_casadi(monkeypatch):
    monkeypatch.delitem(sys.modules, "bilad.solvers.nlp.casadi_engine", raising=False)
    monkeypatch.setitem(sys.modules, "casadi", None)
    with pytest.raises(EngineError, match="IPOPT in CasADi: casadi cannot be imported"):
        find_engine("casadi")


def test_casadi_without_ipopt(monkeypatch):
    monkeypatch.setattr("casadi.has_nlpsol", lambda _: False)
    with pytest.raises(EngineError, match="has no IPOPT plug-in"):
        find_engine("casadi")


def test_environment_options_are_not_mixed_in(engine, monkeypatch):
    monkeypatch.setenv("ipopt_options", "max_iter=0")
    assert IpoptSession(model(), engine=engine).solve().status is NlpStatus.OPTIMAL


def test_no_memory_for_casadi(monkeypatch):
    """Without a check, its linear algebra asks for memory until it gets some."""
    casadi_engine._check_memory.cache_clear()
    with monkeypatch.context() as planted:
        planted.setattr(casadi_engine, "BUFFER", 2**60)
        with pytest.raises(MemoryError):
            find_engine("casadi")
    assert find_engine("casadi").name == "IPOPT in CasADi"
