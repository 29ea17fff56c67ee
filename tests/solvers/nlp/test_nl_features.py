"""What a .nl file can hold: solved, or refused by the name of the component."""

import math

import numpy as np
import pyomo.environ as pyo
import pytest
from pyomo.gdp import Disjunct
from pyomo.mpec import Complementarity, complements

from bilad.solvers.nlp import IpoptSession, NlpStatus


def base():
    m = pyo.ConcreteModel()
    m.x = pyo.Var(initialize=1.5)
    m.y = pyo.Var(initialize=1.0)
    m.cost = pyo.Objective(expr=(m.x - 2) ** 2 + (m.y - 1) ** 2)
    return m


FUNCTIONS = {
    "asinh": (pyo.asinh, [-1e9, -30.0, -0.4, 0.0, 1e-9, 0.4, 1e9]),
    "acosh": (pyo.acosh, [1.0 + 1e-9, 1.4, 1e9]),
    "atanh": (pyo.atanh, [-0.999, -1e-9, 0.0, 0.4]),
    "if": (lambda x: pyo.Expr_if(x >= 1, x**2 + pyo.asinh(x), pyo.exp(x)), [-3.0, 1.0, 2.5]),
    "if strict": (lambda x: pyo.Expr_if(x < 1, 3.0, pyo.Expr_if(x > 2, x, x**2)), [0.0, 1.5, 3]),
    "if between": (lambda x: pyo.Expr_if(pyo.inequality(-1, x, 1), x, -x), [-2.0, 0.3, 2.0]),
    "nested": (lambda x: pyo.asinh(pyo.acosh(2 + pyo.asinh(x) ** 2) * x) + pyo.sin(x), [-2.0, 0.7]),
    "of a sum": (lambda x: pyo.atanh((x + x**2 + pyo.sin(x) + 1) / 50) * pyo.asinh(2 - x), [1.0]),
}
POINTS = [(name, at) for name, (_, points) in FUNCTIONS.items() for at in points]


@pytest.mark.parametrize(("name", "at"), POINTS)
def test_functions_that_casadis_reader_lacks(name, at):
    """Their values, in a row of their own; their derivatives, as multipliers."""
    function = FUNCTIONS[name][0]
    m = pyo.ConcreteModel()
    m.x = pyo.Var(bounds=(at, at), initialize=at)
    m.f = pyo.Var(initialize=0.0)
    m.row = pyo.Constraint(expr=m.f == function(m.x))
    m.cost = pyo.Objective(expr=m.f)
    result = IpoptSession(m, {"tol": 1e-12}, "casadi").solve()
    exact = pyo.value(function(at))
    assert m.f.value == pytest.approx(exact, rel=1e-12, abs=1e-15)
    if name in {"asinh", "acosh", "atanh"}:
        slope = {
            "asinh": 1 / math.hypot(at, 1),
            "acosh": 1 / math.sqrt((at - 1) * (at + 1)) if at > 1 else 0,
            "atanh": 1 / ((1 - at) * (1 + at)),
        }[name]
        assert result.reduced_costs[m.x] == pytest.approx(slope, rel=1e-6)


def test_missing_functions_in_shared_expressions_and_the_objective():
    m = pyo.ConcreteModel()
    m.x = pyo.Var([1, 2, 3], initialize=0.5, bounds=(0.1, 3))
    m.once = pyo.Expression(expr=pyo.asinh(m.x[1]) + 2 * m.x[2])
    m.shared = pyo.Expression(expr=m.once * pyo.atanh(m.x[3] / 4) + m.x[1])
    m.first = pyo.Constraint(expr=m.shared**2 + m.x[1] ** 2 <= 9)
    m.second = pyo.Constraint(expr=m.shared + pyo.acosh(1 + m.x[2]) >= 1)
    m.linear = pyo.Constraint(expr=m.x[1] + m.x[2] + m.x[3] == 3)
    m.cost = pyo.Objective(expr=pyo.asinh(m.shared) + m.x[3] ** 2, sense=pyo.maximize)

    # The same model in functions that the reader knows; all arguments are positive.
    def log_asinh(u):
        return pyo.log(u + pyo.sqrt(u**2 + 1))

    k = m.clone()
    k.once.set_value(log_asinh(k.x[1]) + 2 * k.x[2])
    k.shared.set_value(k.once * 0.5 * pyo.log((4 + k.x[3]) / (4 - k.x[3])) + k.x[1])
    k.second.set_value(k.shared + pyo.log(1 + k.x[2] + pyo.sqrt(k.x[2] * (2 + k.x[2]))) >= 1)
    k.cost.set_value(log_asinh(k.shared) + k.x[3] ** 2)
    got, expected = (IpoptSession(one, {"tol": 1e-10}, "casadi").solve() for one in (m, k))
    assert got.status is expected.status is NlpStatus.OPTIMAL
    assert got.objective == pytest.approx(expected.objective, rel=1e-8)
    assert list(got.values.values()) == pytest.approx(list(expected.values.values()), abs=1e-6)
    assert list(got.duals.values()) == pytest.approx(list(expected.duals.values()), abs=1e-6)


def test_steps_are_read_as_they_are():
    m = pyo.ConcreteModel()
    m.x = pyo.Var(bounds=(1.7, 1.7))
    m.f = pyo.Var([0, 1, 2])
    terms = [pyo.ceil(m.x), pyo.floor(m.x), abs(-m.x) ** m.x]
    m.row = pyo.Constraint([0, 1, 2], rule=lambda m, i: m.f[i] == terms[i])
    assert IpoptSession(m, engine="casadi").solve().status in {
        NlpStatus.OPTIMAL,
        NlpStatus.FEASIBLE_POINT,
    }
    assert [m.f[i].value for i in range(3)] == pytest.approx([2, 1, 1.7**1.7])


def complementarity(m):
    m.pair = Complementarity(expr=complements(m.x >= 0, m.y >= 0))


def complementarity_of_the_writer(m):
    complementarity(m)
    pyo.TransformationFactory("mpec.nl").apply_to(m)


def ordered_set(m):
    m.z = pyo.Var([1, 2], bounds=(0, 1))
    m.pair = pyo.SOSConstraint(var=m.z, sos=1)


def piecewise(m):
    m.x.setlb(0)
    m.x.setub(2)
    m.pair = pyo.Piecewise(m.y, m.x, pw_pts=[0, 1, 2], f_rule=[0, 1, 4], pw_constr_type="EQ")


def logical(m):
    m.z = pyo.BooleanVar()
    m.pair = pyo.LogicalConstraint(expr=m.z.implies(m.z))


def disjunct(m):
    m.pair = Disjunct()
    m.pair.c = pyo.Constraint(expr=m.x >= 1)


def infinite_coefficient(m):
    m.p = pyo.Param(initialize=math.inf, mutable=True)
    m.pair = pyo.Constraint(expr=m.p * m.x + m.y**2 >= 1)


def infinite_constant(m):
    m.p = pyo.Param(initialize=math.inf, mutable=True)
    m.inner = pyo.Expression(expr=m.x * (m.y + m.p))
    m.pair = pyo.Constraint(expr=pyo.exp(m.inner) + m.inner >= 1)


def division_by_zero(m):
    m.p = pyo.Param(initialize=0.0, mutable=True)
    m.c = pyo.Constraint(expr=m.x**2 >= 1)
    m.pair = pyo.Constraint(expr=m.x**2 + 1 / m.p >= 1)


def infeasible_row(m):
    m.x.fix(2)
    m.pair = pyo.Constraint(expr=m.x >= 3)


def fixed_outside_its_bounds(m):
    m.pair = pyo.Var(bounds=(0, 1), initialize=0.0)
    m.pair.fix(2, skip_validation=True)
    m.c = pyo.Constraint(expr=m.x + m.pair >= 0)


REFUSED = [
    complementarity,
    complementarity_of_the_writer,
    ordered_set,
    piecewise,
    logical,
    disjunct,
    infinite_coefficient,
    infinite_constant,
    division_by_zero,
    infeasible_row,
    fixed_outside_its_bounds,
]


@pytest.mark.parametrize("add", REFUSED, ids=[add.__name__ for add in REFUSED])
def test_what_ipopt_cannot_take_is_named(add, engine):
    m = base()
    add(m)
    with pytest.raises(ValueError, match="pair"):
        IpoptSession(m, engine=engine)


def test_crossed_sides_are_named():
    m = base()
    m.p = pyo.Param(initialize=3.0, mutable=True)
    m.pair = pyo.Constraint(expr=pyo.inequality(m.p, m.x, 1))
    with pytest.raises(ValueError, match="pair: expected lower <= upper side"):
        IpoptSession(m, engine="casadi")


@pytest.mark.parametrize("shared", [True, False])
def test_external_functions_are_for_the_executable(shared, tmp_path):
    m = base()
    (tmp_path / "functions.so").touch()
    m.f = pyo.ExternalFunction(library=str(tmp_path / "functions.so"), function="f")
    m.e = pyo.Expression(expr=m.f(m.x) + m.y)
    m.plain = pyo.Constraint(expr=m.x**2 >= 1)
    m.pair = pyo.Constraint(expr=pyo.exp(m.e) >= 1)
    if shared:
        m.more = pyo.Constraint(expr=pyo.sin(m.e) >= -1)
    with pytest.raises(ValueError, match="^pair: IPOPT in CasADi cannot call external functions"):
        IpoptSession(m, engine="casadi")


def test_the_executable_is_told_the_libraries(put_on_path, tmp_path):
    put_on_path(
        '#!/bin/sh\n[ "$1" = --version ] && echo "Ipopt 3.14.19" && exit 0\n'
        'echo "EXIT: Invalid option encountered."\n'
        f'echo "$AMPLFUNC" > {tmp_path}/told\n'
    )
    (tmp_path / "functions.so").touch()
    m = base()
    m.f = pyo.ExternalFunction(library=str(tmp_path / "functions.so"), function="f")
    m.pair = pyo.Constraint(expr=m.f(m.x) >= 1)
    assert IpoptSession(m, engine="executable").solve().status is NlpStatus.INVALID_OPTION
    assert (tmp_path / "told").read_text() == f"{tmp_path / 'functions.so'}\n"


@pytest.mark.parametrize("datatype", [pyo.Suffix.FLOAT, pyo.Suffix.INT])
def test_exported_suffixes_are_dropped_by_name(datatype):
    m = base()
    m.b = pyo.Block([1])
    m.c = pyo.Constraint([1, 2], rule=lambda m, i: m.x + i * m.y <= 9)
    m.first = pyo.Suffix(direction=pyo.Suffix.EXPORT, datatype=datatype)
    m.b[1].second = pyo.Suffix(direction=pyo.Suffix.IMPORT_EXPORT, datatype=datatype)
    m.none = pyo.Suffix(direction=pyo.Suffix.EXPORT)
    for suffix in (m.first, m.b[1].second):
        for key in (m.x, m.c, m.cost, m):
            suffix[key] = 2
    with pytest.warns(RuntimeWarning, match="exported suffixes first, second$"):
        session = IpoptSession(m, engine="casadi")
    assert session.solve().status is NlpStatus.OPTIMAL
    assert (m.x.value, m.y.value) == pytest.approx((2, 1), abs=1e-6)


def test_dual_suffix_is_no_cause_for_a_warning():
    m = base()
    m.c = pyo.Constraint(expr=m.x + m.y <= 2)
    m.dual = pyo.Suffix(direction=pyo.Suffix.IMPORT_EXPORT)
    m.dual[m.c] = math.nan
    result = IpoptSession(m, engine="casadi").solve()
    assert result.duals[m.c] == pytest.approx(-1, abs=1e-6)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_start_that_is_not_finite(value, engine):
    m = base()
    m.x.set_value(value, skip_validation=True)
    result = IpoptSession(m, engine=engine).solve()
    assert result.status is NlpStatus.INVALID_NUMBER
    assert result.message == f"x starts at {value}"
    assert m.y.value == 1.0


@pytest.mark.parametrize("bounds", [(math.inf, None), (None, -math.inf), (math.nan, None), (3, 1)])
def test_bounds_without_a_number_between(bounds):
    m = base()
    session = IpoptSession(m, engine="casadi")
    m.x.setlb(bounds[0])
    m.x.setub(bounds[1])
    with pytest.raises(ValueError, match="x"):
        session.solve()


def test_names_beyond_ascii(monkeypatch):
    monkeypatch.setenv("LC_ALL", "C")
    m = base()
    m.name = "Größe x5 b r"
    assert IpoptSession(m, engine="casadi").solve().status is NlpStatus.OPTIMAL


def test_no_variable_at_all():
    m = base()
    m.x.fix(3)
    m.y.fix(1)
    result = IpoptSession(m, engine="casadi").solve()
    assert (result.status, result.objective) == (NlpStatus.OPTIMAL, 1.0)


def test_numpy_scalars_and_booleans_are_numbers():
    m = base()
    m.p = pyo.Param(initialize=np.float32(0.5), mutable=True, within=pyo.Any)
    m.q = pyo.Param(initialize=True, mutable=True, within=pyo.Any)
    m.c = pyo.Constraint(expr=m.x == m.p + m.q)
    session = IpoptSession(m, engine="casadi")
    session.solve()
    session.solve()
    assert m.x.value == pytest.approx(1.5)
