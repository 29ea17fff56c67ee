"""Tables of the comparison of formulations, compared with values computed by hand."""

import numpy as np
import pandas as pd
import pytest

from bilad.scripts.formulation_tables import attained_table, ray_table, time_table, value_table
from bilad.scripts.known_problems import known_problems

NAN = float("nan")
NAMES = list(known_problems())
PROBLEMS = {name: one.problem for name, one in known_problems().items()}
BL1, BL2, OTHER = NAMES[0], NAMES[1], NAMES[2]


def table(*rows):
    usual = {
        "label": "kkt", "status": "feasible", "own": 2.0, "own_share": 1.0, "closed_share": 1.0,
        "seconds": 1.0, "cpu_seconds": 1.0, "solves": 5, "contraction": "observed", "blocks": 4,
        "lower": 0.1, "build": 0.2, "opening": 0.1, "ipopt": 0.5, "evaluations": NAN,
        "iterations": 9, "optimum": 2.0,
    }  # fmt: skip
    made = pd.DataFrame([{**usual, **row} for row in rows])
    made["sense"] = [PROBLEMS[name].sense if name in PROBLEMS else "max" for name in made.problem]
    return made


def test_shares_that_are_attained_from_one_start_and_from_five():
    first = table(
        {"problem": BL1, "own_share": 0.5},
        {"problem": OTHER, "own_share": 0.9999, "closed_share": 0.9999},
        {"problem": BL2, "own_share": 0.96, "closed_share": 0.9995},
        {"problem": BL1, "label": "milp", "status": "refused", "own_share": 0.0},
        {"problem": BL2, "label": "milp", "status": "error: E: e", "own_share": 0.0,
         "closed_share": 1.1},
    )  # fmt: skip
    more = table({"problem": BL1}, {"problem": BL2, "own_share": 0.9995})
    kkt1, milp1, kkt2, milp2, kkt, milp = attained_table(first, more, PROBLEMS)
    assert [cells[""] for cells in (kkt1, kkt2, kkt)] == ["BL1", "BL2", "both"]
    assert (kkt1["own, 1 start"], kkt1["own, 5"]) == ("0.0%", "50.0%")
    assert (kkt1["closed, 1 start"], kkt1["closed, 5"], kkt1["near, 5"]) == ("50.0%", "50.0%", "")
    assert (kkt2["own, 1 start"], kkt2["own, 5"], kkt2["near, 1 start"]) == (
        "0.0%", "100.0%", "100.0%",
    )  # fmt: skip
    assert (kkt["own, 5"], kkt["problems"]) == ("66.7%", 3)
    assert (milp1["problems"], milp1["refused"], milp1["own, 1 start"]) == (0, 1, "")
    assert (milp2["errors"], milp2["beaten"]) == (1, 1)
    assert (milp["refused"], milp["problems"]) == (1, 1)
    assert kkt["beaten"] == 0


def test_the_best_and_the_worst_start_on_a_ray():
    rows = table(
        {"problem": "iris", "variant": "kkt", "own_share": 0.5},
        {"problem": "iris", "variant": "kkt", "own_share": 0.9, "closed_share": 0.95},
        {"problem": "iris", "variant": "milp", "status": "refused"},
    )
    (cells,) = ray_table(rows)
    assert (cells["own, best"], cells["own, worst"]) == ("90.00%", "50.00%")
    assert (cells["closed, best"], cells["closed, worst"]) == ("100.00%", "95.00%")


def test_values_beside_those_of_the_rivals():
    """The second problem has no attack, and does not count."""
    rows = table(
        {"problem": "a", "own_share": 0.5},
        {"problem": "b", "own_share": 0.7, "status": "time limit"},
        {"problem": "none", "own_share": NAN},
        {"problem": "a", "label": "corners", "own_share": 1.0},
        {"problem": "b", "label": "corners", "own_share": 0.5, "status": "error: E: e"},
    )
    groups = dict.fromkeys(("a", "b", "none"), "cloud")
    kkt, corners = value_table(rows, groups, ["corners", "random"])
    assert (kkt["instance"], kkt["method"], kkt["seeds"]) == ("cloud", "kkt", 3)
    assert (kkt["own"], kkt["worst"], kkt["time limit"]) == (pytest.approx(0.6), 0.5, 1)
    assert kkt["of corners"] == pytest.approx(0.8)
    assert np.isnan(kkt["of random"])
    assert (corners["of corners"], corners["errors"]) == (1.0, 1)


def test_the_parts_of_the_time():
    rows = table(
        {"problem": "a", "evaluations": 0.2},
        {"problem": "a", "label": "corners", "contraction": ""},
        {"problem": "a", "label": "duality"},
    )
    kkt, duality = time_table(rows, {"a": "cloud"})
    assert (kkt["Pyomo"], kkt["evaluations"]) == (0.2, 0.2)
    assert kkt["algebra"] == pytest.approx(0.3)
    assert duality["method"] == "duality"
    assert np.isnan(duality["algebra"])
