"""One attack as a row: its values, its dependence on the settings only, and failures."""

from dataclasses import replace

import pytest

from bilad.scripts import attack_runs
from bilad.scripts.attack_runs import (
    Run,
    better,
    improvements,
    no_value,
    run_attack,
    share,
    time_to,
    value_at,
)
from bilad.scripts.instances import Instance
from bilad.scripts.known_problems import known_problems

NAMES = list(known_problems())
BL1, BL2 = NAMES[:2]  # two points on a line, 2.5 apart, that merge at 1
INF = float("inf")


def problem(name=BL1):
    return known_problems()[name].problem


@pytest.mark.parametrize("name", [BL1, BL2])
def test_a_run_reports_what_the_lower_level_says(name):
    known = known_problems()[name]
    one = run_attack(known.problem, Run(name, "kkt scholtes", 0, 30.0), known.optimum)
    assert one.share == pytest.approx(1.0, abs=1e-3)
    assert one.status == "feasible"
    assert one.iterations > 0
    assert one.lower_solves > 0
    moments = improvements(one)
    assert [when for when, _ in moments] == sorted(when for when, _ in moments)
    assert moments[-1][1] == pytest.approx(one.value)
    assert value_at(known.problem, one, 1e9) == pytest.approx(one.value)
    assert value_at(known.problem, one, 0.0) == no_value(known.problem)


def test_a_run_is_a_function_of_its_settings():
    instance = Instance("entries", "iris", "entries", 5, "inf", "BL1", seed=3)
    settings = Run(instance.name, "random", 3, 20.0, {"corners": 10})
    one, two = (run_attack(instance.problem(), settings) for _ in range(2))
    unclocked = {"seconds": 0.0, "improvements": ""}
    assert str(replace(one, **unclocked)) == str(replace(two, **unclocked))  # NaN is not NaN
    assert [v for _, v in improvements(one)] == [v for _, v in improvements(two)]


def test_a_method_that_breaks_stays_in(monkeypatch):
    def broken(*arguments, **options):
        raise RuntimeError("out of luck")

    monkeypatch.setattr(attack_runs, "attack", broken)
    for name, value in ((BL1, 0.0), (BL2, INF)):
        one = run_attack(problem(name), Run(name, "duality", 0, 1.0), 2.0)
        assert one.status == "error: RuntimeError: out of luck"
        assert (one.value, one.share) == (value, 0.0)


def test_a_problem_that_the_milp_refuses_is_a_row():
    name = next(
        n for n, k in known_problems().items() if (k.problem.model.p, k.problem.model.d) == (2, 2)
    )
    assert run_attack(problem(name), Run(name, "milp", 0, 1.0), 1.0).status == "refused"


def test_an_attack_without_proof_is_none(monkeypatch):
    found = attack_runs.attack(problem(), "corners", corners=2)
    assert found.deviation == 2
    monkeypatch.setattr(type(found), "proved", property(lambda self: False))
    monkeypatch.setattr(attack_runs, "attack", lambda *arguments, **options: found)
    one = run_attack(problem(), Run(BL1, "corners", 0, 1.0), 2.0)
    assert (one.value, one.share) == (0.0, 0.0)


def test_shares_and_order_of_values():
    assert share(problem(BL1), 4.0, 3.0) == 0.75
    assert share(problem(BL2), 3.0, 4.0) == 0.75
    assert share(problem(BL2), 3.0, INF) == 0.0
    assert better(problem(BL1), 2.0, 1.0)
    assert better(problem(BL2), 1.0, 2.0)


def test_a_rival_with_many_entries_goes_on_until_its_time_is_up():
    instance = Instance("entries", "iris", "entries", 20, "inf", "BL1")
    one = run_attack(instance.problem(), Run(instance.name, "random", 0, 0.5))
    assert one.status == "time limit"
    assert 0.5 <= one.seconds < 3.0


def test_a_simple_search_is_charged_until_its_last_improvement(row):
    def enough(_, row):
        return row.share == 1

    assert time_to(problem(), row(variant="random"), enough) == 0.2
    assert time_to(problem(), row(), enough) == 0.5
    assert time_to(problem(), row(share=0.9), enough) == INF
