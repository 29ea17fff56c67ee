"""Options go through unchanged, and a refused one is named."""

import pyomo.environ as pyo
import pytest

from bilad.solvers.nlp import IpoptSession, NlpStatus


def model():
    m = pyo.ConcreteModel()
    m.x = pyo.Var(initialize=3.0, bounds=(0, None))
    m.cost = pyo.Objective(expr=pyo.exp(m.x) - 2 * m.x)
    return m


@pytest.mark.parametrize("name", ["no_such_option", "tol2"])
def test_unknown_option(engine, name):
    with pytest.raises(ValueError, match=f"options: IPOPT refuses '{name}' = 1"):
        IpoptSession(model(), {"tol": 1e-6, name: 1}, engine).solve()


@pytest.mark.parametrize(
    ("name", "value"),
    [("tol", -1.0), ("mu_strategy", "zzz"), ("max_iter", "many"), ("max_iter", 1.5)],
)
def test_bad_value(name, value, capfd):
    with pytest.raises(ValueError, match=f"IPOPT refuses '{name}' = {value!r}"):
        IpoptSession(model(), {"acceptable_iter": 3, name: value}, "casadi")
    assert capfd.readouterr() == ("", "")


def test_missing_library_is_an_error_not_a_crash():
    options = {"linear_solver": "ma97", "hsllib": "no-such-library.so"}
    with pytest.raises(ValueError, match="'linear_solver' = 'ma97': cannot load no-such-library"):
        IpoptSession(model(), options, "casadi")


def test_option_file_is_refused(engine):
    with pytest.raises(ValueError, match="not option_file_name"):
        IpoptSession(model(), {"option_file_name": "mine.opt"}, engine)


def test_stray_option_file_is_not_read(engine, tmp_path, monkeypatch):
    (tmp_path / "ipopt.opt").write_text("max_iter 1\n")
    monkeypatch.chdir(tmp_path)
    assert IpoptSession(model(), engine=engine).solve().status is NlpStatus.OPTIMAL


def test_options_act(engine):
    loose = IpoptSession(model(), {"tol": 1e-2, "mu_strategy": "adaptive"}, engine).solve()
    tight = IpoptSession(model(), {"tol": 1e-10, "mu_init": 1e-3}, engine).solve()
    assert loose.iterations != tight.iterations


def test_silent_unless_asked(engine, capfd):
    IpoptSession(model(), engine=engine).solve()
    assert capfd.readouterr() == ("", "")
    IpoptSession(model(), {"print_level": 5}, engine).solve()
    assert "Optimal Solution Found" in capfd.readouterr().out
