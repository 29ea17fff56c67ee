"""Values and derivatives of a written model by templates, against Pyomo's own."""

import numpy as np
import pyomo.environ as pyo
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyomo.core.expr.calculus.derivatives import Modes, differentiate

from bilad.solvers.nlp.nl_model import NlModel
from bilad.solvers.nlp.nl_terms import read
from bilad.solvers.nlp.templates import FEW, TemplateNlp

UNARY = [pyo.exp, pyo.sin, pyo.cos, pyo.atan, abs]  # those that Pyomo differentiates


def evaluated(model):
    """The functions of a model, with the components of its rows and columns."""
    written = NlModel(model)
    return TemplateNlp(len(written.variables), read(written, "test").rows), written


def dense(scatter, entries, shape):
    """A sparse matrix in column-major order as an array."""
    rows, columns = (np.array(side) for side in scatter.sparsity.get_triplet())
    out = np.zeros(shape)
    out[rows.astype(int), columns.astype(int)] = entries
    return out


def check(model, x):
    """Assert that values and derivatives are those of Pyomo at x."""
    nlp, written = evaluated(model)
    variables, m = written.variables, len(written.constraints)
    for variable, value in zip(variables, x[: len(variables)], strict=True):
        variable.set_value(float(value))
    x = x[: len(variables)]
    expressions = [row.body for row in written.constraints]
    expressions.append(written.sense * written.objective.expr)
    values = nlp.values(x)
    # A constant of a body stands on the side of its row.
    shift = [pyo.value(e) for e in expressions] - values
    at_zero = shift.copy()
    moved = x + 0.01
    for variable, value in zip(variables, moved, strict=True):
        variable.set_value(float(value))
    again = [pyo.value(e) for e in expressions] - nlp.values(moved)
    assert again == pytest.approx(at_zero, rel=1e-9, abs=1e-9)
    for variable, value in zip(variables, x, strict=True):
        variable.set_value(float(value))
    slopes = np.array(
        [differentiate(e, wrt_list=variables, mode=Modes.reverse_numeric) for e in expressions]
    )
    assert nlp.gradient(x) == pytest.approx(slopes[-1], rel=1e-9, abs=1e-9)
    jacobian = dense(nlp.jacobian_of, nlp.jacobian(x), (m, len(x)))
    assert jacobian == pytest.approx(slopes[:-1], rel=1e-9, abs=1e-9)
    multipliers = np.random.default_rng(0).normal(size=m)
    upper = dense(nlp.hessian_of, nlp.hessian(x, 0.7, multipliers), (len(x), len(x)))

    def slope_of_lagrangian(at):
        return 0.7 * nlp.gradient(at) + multipliers @ dense(
            nlp.jacobian_of, nlp.jacobian(at), (m, len(x))
        )

    step = 1e-6
    columns = [
        (slope_of_lagrangian(x + step * e) - slope_of_lagrangian(x - step * e)) / (2 * step)
        for e in np.eye(len(x))
    ]
    symmetric = upper + np.triu(upper, 1).T
    assert symmetric == pytest.approx(np.array(columns), rel=1e-5, abs=1e-5)


@st.composite
def expressions(draw, variables, depth=3):
    if depth == 0 or draw(st.booleans()):
        return draw(st.sampled_from([*variables, 0.5, -1.5, 2.0]))
    part = expressions(variables, depth - 1)
    kind = draw(st.sampled_from(["+", "-", "*", "/", "power", "unary", "named", "sum"]))
    left = draw(part)
    if kind == "unary":
        return draw(st.sampled_from(UNARY))(left / 3)
    if kind == "power":
        return left ** draw(st.sampled_from([2, 3]))
    if kind == "named":
        named = variables[0].model().named
        named[len(named)] = left
        return named[len(named) - 1]
    if kind == "sum":
        return sum(draw(part) for _ in range(3))
    right = draw(part)
    if kind == "/":
        return left / (3 + right**2)
    return left + right if kind == "+" else left - right if kind == "-" else left * right


@settings(max_examples=50)
@given(data=st.data(), sense=st.sampled_from([pyo.minimize, pyo.maximize]))
def test_random_models(data, sense):
    model = pyo.ConcreteModel()
    model.x = pyo.Var(range(4), initialize=0.3)
    model.named = pyo.Expression(pyo.Any)
    model.rows = pyo.ConstraintList()
    variables = list(model.x.values())
    for _ in range(3):
        row = data.draw(expressions(variables))
        model.rows.add(variables[0] + row <= 1)
    # All variables are used, so that the columns of the file are known.
    used = sum(v**2 for v in variables)
    model.cost = pyo.Objective(expr=used + data.draw(expressions(variables)), sense=sense)
    x = np.random.default_rng(data.draw(st.integers(0, 99))).uniform(0.2, 0.9, 4)
    check(model, x)


@pytest.mark.parametrize("copies", [1, FEW - 1, FEW, 5 * FEW])
def test_terms_of_one_form_are_one_group(copies):
    model = pyo.ConcreteModel()
    model.x = pyo.Var(range(copies + 1), initialize=0.3)
    model.w = pyo.Var(initialize=0.8)
    pairs = [(i, i + 1) for i in range(copies)]
    terms = [
        (1 + i) * pyo.exp(-((model.x[i] - (2 + i) * model.x[j]) ** 2) / model.w**2)
        for i, j in pairs
    ]
    model.row = pyo.Constraint(expr=(sum(terms) - model.x[0]) / model.w <= 1)
    model.cost = pyo.Objective(expr=sum(terms) + sum(model.x.values()))
    check(model, np.random.default_rng(1).uniform(0.5, 1.0, copies + 2))
    nlp, _ = evaluated(model)
    forms = [len(group.rows) for group in nlp._groups]
    assert forms == ([copies, copies, 1] if copies >= FEW else [1])


def test_a_chain_of_defined_variables_is_read_once_each():
    """Written out, the expression would have 2^60 terms."""
    model = pyo.ConcreteModel()
    model.x = pyo.Var(initialize=0.1)
    model.link = pyo.Expression(range(60))
    model.link[0] = pyo.sin(model.x)
    for i in range(1, 60):
        model.link[i] = 0.5 * (model.link[i - 1] + model.link[i - 1])
    model.cost = pyo.Objective(expr=model.link[59] + pyo.exp(model.link[59]))
    nlp, _ = evaluated(model)
    x = np.array([0.4])
    assert nlp.values(x) == pytest.approx([np.sin(0.4) + np.exp(np.sin(0.4))])
    assert nlp.gradient(x) == pytest.approx([np.cos(0.4) * (1 + np.exp(np.sin(0.4)))])


def test_products_with_defined_variables_are_not_written_out():
    """Written out, the last expression would have 2^40 terms."""
    model = pyo.ConcreteModel()
    model.x, model.y = pyo.Var(initialize=0.1), pyo.Var(initialize=0.2)
    model.link = pyo.Expression(range(40))
    model.link[0] = pyo.sin(model.x) + model.y
    for i in range(1, 40):
        model.link[i] = model.x * model.link[i - 1] + model.y * model.link[i - 1]
    model.cost = pyo.Objective(expr=model.link[39] + model.x)
    nlp, _ = evaluated(model)
    x = np.array([0.4, 0.5])
    assert nlp.values(x) == pytest.approx([(np.sin(0.4) + 0.5) * 0.9**39 + 0.4])
