"""The relaxations of 0 <= G _|_ H >= 0 as functions: feasible sets, limits and derivatives."""

from importlib.metadata import EntryPoint

import numpy as np
import pyomo.environ as pyo
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from support.bilevel_problems import make_case

from bilad.formulations.complementarity import (
    RELAXATIONS,
    Complementarity,
    Relaxation,
    Side,
    register_relaxation,
)
from bilad.formulations.reformulations import KKT
from bilad.formulations.schedule import Schedule
from bilad.models import registry
from bilad.models.validation import ArgumentError
from bilad.solvers import attack, cluster

# Those of one constraint Phi <= 0: "smoothing" is Phi = 0 for the Phi of "fischer-burmeister", and
# "lin-fukushima" has two rows, of which the first is that of "scholtes".
SINGLE = [name for name in RELAXATIONS if name not in ("smoothing", "lin-fukushima")]
ROWS = [name for name in SINGLE if not RELAXATIONS[name].penalised]
sizes = st.floats(0.0, 1e3).map(lambda value: value if value > 1e-12 else 0.0)
parameters = st.floats(1e-8, 1e2)


@pytest.fixture(scope="module")
def body():
    """The value of the Pyomo expression Phi(G, H; t)."""
    model = pyo.ConcreteModel()
    model.G, model.H, model.t = pyo.Var(), pyo.Var(), pyo.Var()
    sides = [Side.at_lower_bound(variable, variable) for variable in (model.G, model.H)]
    pair = Complementarity(model.G * model.H, *sides)
    rows = {}
    for name in SINGLE:
        (rows[name],) = RELAXATIONS[name].rows(pair, model.t)

    def value(name, G, H, t):
        model.G.set_value(G)
        model.H.set_value(H)
        model.t.set_value(t)
        return pyo.value(rows[name])

    return value


@pytest.mark.parametrize("name", ROWS)
@given(t=parameters)
def test_the_square_root_of_t_is_on_the_boundary(body, name, t):
    s = np.sqrt(t)
    assert body(name, s, s, t) == pytest.approx(0.0, abs=1e-12 * max(s, t))
    for factor in (1.001, 2.0, 100.0):
        assert body(name, factor * s, factor * s, t) > 0
        assert body(name, s, factor * s, t) >= -1e-12 * max(s, t)
    for factor in (0.0, 0.5, 0.999):
        assert body(name, factor * s, factor * s, t) < 0


@pytest.mark.parametrize("name", ROWS)
@given(G=sizes, H=sizes, t=parameters)
def test_one_side_is_at_most_a_multiple_of_the_square_root_of_t(body, name, G, H, t):
    """Limits of feasible points, as t tends to 0, therefore have G = 0 or H = 0."""
    s = np.sqrt(t)
    allowed = body(name, G, H, t) <= 0
    # Steffensen and Ulbrich: G + H <= phi <= 16/3 s inside its band, and an axis outside.
    most = 8 / 3 * s if name == "steffensen-ulbrich" else s
    assert not (allowed and min(G, H) > most * (1 + 1e-9))


@pytest.mark.parametrize("name", ROWS)
@given(G=sizes, t=parameters)
def test_complementary_points_are_allowed(body, name, G, t):
    assert body(name, G, 0.0, t) <= 1e-12 * (G + np.sqrt(t))
    assert body(name, 0.0, G, t) <= 1e-12 * (G + np.sqrt(t))


@pytest.mark.parametrize("name", ROWS)
@given(G=st.floats(0.01, 1e3), H=st.floats(0.01, 1e3))
def test_all_other_points_are_excluded_in_the_limit(body, name, G, H):
    assert body(name, G, H, 1e-14) > 0


@pytest.mark.parametrize("name", SINGLE)
@given(G=sizes, H=sizes, t=st.floats(1e-6, 1e2))
def test_symmetric_and_monotone_in_t(body, name, G, H, t):
    value = body(name, G, H, t)
    assert body(name, H, G, t) == pytest.approx(value, rel=1e-12, abs=1e-12 * (1 + G + H) ** 2)
    if name != "kanzow-schwartz":
        assert body(name, G, H, 2 * t) <= value + 1e-12 * (1 + G + H) ** 2
    elif value <= 0:  # its values are not, but what it allows is
        assert body(name, G, H, 2 * t) <= 1e-12 * (1 + G + H) ** 2


def kanzow_schwartz_slopes(G, H, t):
    a, b = G - np.sqrt(t), H - np.sqrt(t)
    return (b, a) if a + b >= 0 else (-a, -b)


def steffensen_ulbrich_slopes(G, H, t):
    ratio = np.clip((G - H) / (16 / 3 * np.sqrt(t)), -1, 1)
    slope = (3 * ratio - ratio**3) / 2
    return 1 - slope, 1 + slope


SLOPES = {
    "scholtes": lambda G, H, t: (H, G),
    "fischer-burmeister": lambda G, H, t: (
        1 - G / np.sqrt(G**2 + H**2 + 2 * t),
        1 - H / np.sqrt(G**2 + H**2 + 2 * t),
    ),
    "kanzow-schwartz": kanzow_schwartz_slopes,
    "steffensen-ulbrich": steffensen_ulbrich_slopes,
    "penalty": lambda G, H, t: (H / t, G / t),
}


@pytest.mark.parametrize("name", SINGLE)
@given(G=sizes, H=sizes, t=st.floats(1e-6, 1e2))
def test_once_continuously_differentiable_with_these_slopes(body, name, G, H, t):
    h = 1e-5 * np.sqrt(t)
    slopes = SLOPES[name](G, H, t)
    numerical = (
        (body(name, G + h, H, t) - body(name, G - h, H, t)) / (2 * h),
        (body(name, G, H + h, t) - body(name, G, H - h, t)) / (2 * h),
    )
    size = abs(body(name, G, H, t)) + G + H + np.sqrt(t)
    curved = 4 * h * (1 + 1 / np.sqrt(t))  # the pieces meet with equal slopes, not curvatures
    assert slopes == pytest.approx(numerical, abs=1e-14 * size / h + curved)


@given(G=sizes, H=sizes, t=parameters)
def test_fischer_burmeister_and_scholtes_allow_the_same(body, G, H, t):
    assume(abs(G * H - t) > 1e-9 * (G + H + 1) ** 2)
    allowed = [body(name, G, H, t) <= 0 for name in ("scholtes", "fischer-burmeister")]
    assert allowed[0] == allowed[1] == (t >= G * H)


@given(G=sizes, H=sizes, t=parameters)
def test_kanzow_and_schwartz_allow_all_with_a_small_side(body, G, H, t):
    s = np.sqrt(t)
    assume(min(abs(G - s), abs(H - s)) > 1e-9 * (G + H + s))
    assert (body("kanzow-schwartz", G, H, t) <= 0) == (min(G, H) <= s)


@given(ratio=st.floats(0, 3), t=parameters)
def test_steffensen_and_ulbrich_allow_the_axes_only_outside_the_band(body, ratio, t):
    width = 16 / 3 * np.sqrt(t)
    G = (1 + ratio) * width
    assert abs(body("steffensen-ulbrich", G, 0.0, t)) <= 1e-12 * G
    assert body("steffensen-ulbrich", G, 1e-6 * width, t) > 0


@given(G=sizes, H=sizes, t=parameters)
def test_the_penalty_is_the_product_over_t(body, G, H, t):
    assert body("penalty", G, H, t) == pytest.approx(G * H / t)


def test_a_pair_without_sides_has_no_relaxation_that_needs_them():
    pair = Complementarity(pyo.Var())
    for name, relaxation in RELAXATIONS.items():
        assert relaxation.needs_sides == (name not in {"scholtes", "penalty"})
        if relaxation.needs_sides:
            with pytest.raises(ValueError, match="needs_sides=True"):
                relaxation.rows(pair, 1.0)


@pytest.fixture
def own(monkeypatch):
    """Register relaxations for one test only."""
    monkeypatch.setattr(RELAXATIONS, "_known", dict(RELAXATIONS._known))


def lin_fukushima(pair, t):
    """Two constraints: G H <= t^2 and (G + t)(H + t) >= t^2."""
    G, H = pair.sides
    return [G * H - t**2, t**2 - (G + t) * (H + t)]


def stages(problem, **options):
    found = attack(problem, "kkt", closing="none", bound="none", **options)
    assert found.termination == "converged"
    return found.own.deviation, [(s.claimed, s.iterations, s.eps.tolist()) for s in found.stages]


@pytest.mark.parametrize("p", [1, 2, np.inf])
def test_a_relaxation_with_two_rows_is_used_by_its_name(own, p):
    problem = make_case(p, 2, "additive", "knn", budget=3.0)
    register_relaxation("two-rows", lin_fukushima)
    baseline = cluster(problem.model)
    model = KKT(problem, baseline, relaxation="two-rows").model
    single = KKT(problem, baseline, relaxation="fischer-burmeister").model
    assert len(model.relaxed) == 2 * len(single.relaxed)
    assert {index[-1] for index in model.relaxed} == {0, 1}
    deviation, solved = stages(problem, relaxation="two-rows")
    assert deviation > 0
    assert len(solved) == 5


@pytest.mark.parametrize("p", [1, 2, np.inf])
def test_a_row_written_by_hand_is_the_same_as_ours(own, p):
    register_relaxation("by-hand", lambda pair, t: [pair.product - t], needs_sides=False)
    problem = make_case(p, 2, "additive", "knn")
    assert stages(problem, relaxation="by-hand") == stages(problem, relaxation="scholtes")


@pytest.mark.parametrize("p", [1, 2, np.inf])
def test_a_redundant_row_does_not_change_the_optimum(own, p):
    """With a redundant second constraint, IPOPT finds the same optimum."""
    register_relaxation("twice", lambda pair, t: [pair.product - t, pair.product - 2 * t], False)
    problem = make_case(p, 1, "shift", "complete")
    options = {
        "ipopt_options": {"tol": 1e-8, "max_iter": 500},
        "schedule": Schedule.of((20, 2, 0.2), (5, 2, 0.5)),  # later it has two local optima
    }
    values = [stages(problem, relaxation=name, **options)[1] for name in ("twice", "scholtes")]
    claimed = [[stage[0] for stage in solved] for solved in values]
    assert claimed[0] == pytest.approx(claimed[1], rel=1e-4)


def test_a_relaxation_by_penalty(own):
    register_relaxation("mine", lambda pair, t: [pair.product / t], False, penalised=True)
    problem = make_case(2, 2, "additive", "knn")
    assert stages(problem, relaxation="mine") == stages(problem, relaxation="penalty")


@pytest.mark.parametrize("name", ["scholtes", "penalty", "mine"])
def test_names_that_are_taken_are_refused(own, name):
    register_relaxation("mine", lin_fukushima)
    with pytest.raises(ArgumentError, match=f"name: got '{name}', which is taken"):
        register_relaxation(name, lin_fukushima)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (None, "NoneType"),
        ("G * H", "str"),
        (lambda pair: [pair.product], "TypeError"),
        (lambda pair, t: None, "TypeError"),
        (lambda pair, t: pair.product - t, "TypeError"),
        (lambda pair, t: [], r"the return value \[\]"),
        (lambda pair, t: [0.0], r"the return value \[0.0\]"),
        (lambda pair, t: [pair.product <= t], "the return value"),
        (lambda pair, t: [pair.spam], "AttributeError"),
    ],
)
def test_an_invalid_relaxation_is_refused_when_it_is_registered(own, rows, words):
    before = list(RELAXATIONS)
    with pytest.raises(ArgumentError, match=f"rows: got .*{words}.*, expected a callable"):
        register_relaxation("mine", rows)
    assert list(RELAXATIONS) == before


def test_a_relaxation_that_uses_sides_has_to_declare_it(own):
    with pytest.raises(ArgumentError, match="register the relaxation with needs_sides=True"):
        register_relaxation("mine", lin_fukushima, needs_sides=False)


MINE = Relaxation("mine", lin_fukushima)


def test_a_package_provides_a_relaxation(own, monkeypatch):
    """The entry point is loaded by the attack that names it, and by no other."""
    loaded = []

    class Entry(EntryPoint):
        def load(self):
            loaded.append(self.name)
            return MINE

    def entry_points(group):
        return [Entry("offered", "theirs:MINE", group)] * (group == "bilad.relaxations")

    monkeypatch.setattr(registry, "entry_points", entry_points)
    monkeypatch.delitem(RELAXATIONS.__dict__, "_offered", raising=False)
    problem = make_case(2, 2, "additive", "knn")
    stages(problem, relaxation="scholtes")
    assert loaded == []
    register_relaxation("mine", lin_fukushima)
    assert stages(problem, relaxation="offered") == stages(problem, relaxation="mine")
    assert loaded == ["offered"]
    monkeypatch.delitem(RELAXATIONS.__dict__, "_offered", raising=False)
