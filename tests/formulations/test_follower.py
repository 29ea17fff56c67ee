"""Followers as Pyomo blocks, and the single-level models that replace them."""

import pickle

import numpy as np
import pyomo.environ as pyo
import pytest
from support.followers import MODELS, bard, cournot, price, ranges

from bilad.formulations import DUALITY, KKT, VALUE_FUNCTION, Follower
from bilad.formulations.bilevel_model import BilevelProgram
from bilad.models.validation import ArgumentError


def test_a_follower_is_a_block():
    m = bard()
    assert m.lower.ctype is pyo.Block
    assert [b.name for b in m.component_objects(pyo.Block)] == ["lower"]
    assert isinstance(m.lower, Follower)
    for copy in (m.clone(), pickle.loads(pickle.dumps(m))):
        (follower,) = BilevelProgram(copy).followers
        assert [v.name for v in follower.variables] == ["lower.y"]
        assert follower.variables[0] is copy.lower.y


def test_indexed_followers_and_their_variables_survive_a_copy():
    m = cournot().clone()
    followers = BilevelProgram(m).followers
    assert [f.name for f in followers] == ["F[1]", "F[2]"]
    assert [f.variables[0] for f in followers] == [m.q[1], m.q[2]]
    assert [v.name for v in followers[0].parameters] == ["q[2]", "Q"]


def test_variables_of_others_that_a_follower_refers_to_are_constants():
    m = pyo.ConcreteModel()
    m.x, m.y = pyo.Var(bounds=(0, 1)), pyo.Var([1, 2])
    m.lower = Follower(variables=m.y)
    m.lower.view = pyo.Reference(m.x)
    m.lower.cost = pyo.Objective(expr=sum((m.y[i] - m.lower.view[None]) ** 2 for i in (1, 2)))
    m.cost = pyo.Objective(expr=m.x)
    program = BilevelProgram(m)
    assert [v.name for v in program.followers[0].variables] == ["y[1]", "y[2]"]
    assert program.leader == [m.x]


def second_opinion(m):
    """Pyomo's own KKT conditions of the only follower, and the transformation."""
    copy = m.clone()
    kkt, program = pyo.TransformationFactory("core.kkt"), BilevelProgram(copy)
    kkt.apply_to(copy.lower, parameterize_wrt=program.followers[0].parameters)
    return copy, kkt, program.variables


@pytest.mark.parametrize("name", ["Bard", "equality", "nested", "repeated bounds", "entropy"])
def test_stationarity_is_that_of_pyomos_own_transformation(name):
    """At random values, with equal multipliers; its equations have the opposite sign."""
    rng = np.random.default_rng(0)
    m = MODELS[name].write()
    single, (copy, kkt, others) = KKT(m, relaxation=None), second_opinion(m)
    own = single.systems[0].program
    for mine, theirs in zip(single.program.variables, others, strict=True):
        value = rng.uniform(0.5, 1.5)
        mine.set_value(value)
        theirs.set_value(value)
    for multiplier, row in zip(single.systems[0].multipliers, own.rows, strict=True):
        there = copy.find_component(row.component.name)
        theirs = kkt.get_multiplier_from_object(copy.lower, there)
        value = rng.uniform(0.1, 1.0)
        multiplier.set_value(value)
        if row.side == "equal":
            theirs.set_value(-value)
        else:
            theirs[0 if row.side == "lower" else 1].set_value(value)
    block = single.block.follower[0]
    mine = sorted(pyo.value(row.body) for row in block.stationarity.values())
    rows = copy.lower.kkt.stationarity_conditions.values()
    assert mine == pytest.approx(sorted(pyo.value(row.body) - row.upper for row in rows))


def test_multipliers_of_the_single_level_model_go_both_ways():
    m = ranges()
    single = KKT(m)
    low, high = single.multiplier_of(m.lower.between)
    assert single.constraint_of(low) is single.constraint_of(high) is m.lower.between
    assert low.lb == 0
    by_index = single.multiplier_of(m.lower.y["a"])
    assert single.constraint_of(by_index) is m.lower.y["a"]
    assert single.multiplier_of(single.model.lower.y["a"]) is by_index
    with pytest.raises(ArgumentError, match="lower.of_leader"):
        single.multiplier_of(m.lower.of_leader)
    with pytest.raises(ArgumentError, match="multiplier"):
        single.constraint_of(single.model.x)


def test_a_multiplier_mirrors_the_index_of_its_constraint():
    m = pyo.ConcreteModel()
    m.x = pyo.Var(bounds=(0, 1))
    m.lower = Follower()
    m.lower.y = pyo.Var(["a", "b"], bounds=(0, 4))
    m.lower.row = pyo.Constraint(["a", "b"], rule=lambda b, i: b.y[i] >= m.x)
    m.lower.cost = pyo.Objective(expr=sum(m.lower.y.values()))
    m.cost = pyo.Objective(expr=m.x)
    given = m.lower.multiplier_of(m.lower.row)
    assert set(given) == {"a", "b"}
    assert m.lower.multiplier_of(m.lower.row["a"]) is given["a"]
    assert len(m.lower.multiplier_of(m.lower.y["a"])) == 2
    single = KKT(m)
    assert single.multiplier_of(m.lower.row)["b"].name == given["b"].name
    assert [v.name for v in single.program.multipliers] == [
        v.name for v in m.lower.component("bilad_multiplier").values()
    ]


def test_the_sign_of_a_multiplier_of_a_maximising_follower():
    """max y s.t. y <= x becomes min -y, whose multiplier is 1; an equality's is free."""
    m = pyo.ConcreteModel()
    m.x = pyo.Var(bounds=(0, 1))
    m.lower = Follower()
    m.lower.y = pyo.Var()
    m.lower.row = pyo.Constraint(expr=m.lower.y <= m.x)
    m.lower.gain = pyo.Objective(expr=m.lower.y, sense=pyo.maximize)
    m.cost = pyo.Objective(expr=m.x)
    single = KKT(m)
    (stationarity,) = single.block.follower[0].stationarity.values()
    single.multiplier_of(m.lower.row).set_value(1.0)
    assert pyo.value(stationarity.body) == pytest.approx(pyo.value(stationarity.upper))
    m = price()
    single = KKT(m)
    assert single.multiplier_of(m.lower.demand).lb is None
    assert single.multiplier_of(m.lower.y).lb == 0
    with pytest.raises(ArgumentError, match="component"):
        single.multiplier_of(price().lower.demand)


def test_the_original_is_not_changed():
    m = ranges()
    before = m.clone()
    for formulation in (KKT, DUALITY, VALUE_FUNCTION):
        formulation(m)
    for old, new in zip(before.component_data_objects(), m.component_data_objects(), strict=True):
        assert old.name == new.name
        assert getattr(old, "active", True) == getattr(new, "active", True)
    assert m.lower.y["a"].bounds == (None, 3)


@pytest.mark.parametrize("suffix", ["nl", "lp", "gms"])
@pytest.mark.parametrize("formulation", [KKT, DUALITY, VALUE_FUNCTION])
def test_a_model_is_written_for_other_solvers(formulation, suffix, tmp_path):
    single = formulation.of(bard())
    path = tmp_path / f"model.{suffix}"
    single.write(path)
    assert path.stat().st_size > 100
    assert not single.block.t.fixed


def test_a_value_function_has_no_multipliers():
    with pytest.raises(ArgumentError, match="multipliers of a follower"):
        VALUE_FUNCTION(price())
