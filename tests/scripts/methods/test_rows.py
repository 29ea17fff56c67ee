"""Quality, costs and tables of given rows, compared with values computed by hand."""

from dataclasses import replace

import matplotlib.image
import numpy as np

from bilad.scripts.instances import Instance
from bilad.scripts.methods.report import (
    CLASSES,
    by_column,
    costs,
    draw_family,
    each_problem,
    left_out,
    style,
    summary,
)
from bilad.scripts.methods.rows import REFERENCE, MethodRow, RunSettings, of_methods, scores
from bilad.solvers.upper import UPPER_METHODS

INF, NAN = float("inf"), float("nan")
K4 = Instance("entries", "iris", "entries", 4, "inf", "BL1")
K9 = Instance("entries", "iris", "entries", 9, "inf", "BL1")


def row(method="corners", instance=K4, value=100.0, improvements="1:0.1:50 5:0.2:100", **changes):
    settings = RunSettings(instance, method, 0, 10, 1.0)
    cost = {"solves": 10, "undecided": 1, "starts": 2, "seconds": 1.1, "seconds_solving": 1.0}
    outcome = {"status": "solve limit", "bound": NAN, "improvements": improvements}
    named = {"instance": instance.name, "method": method, "seed": 0, "n": 100, "value": value}
    named["closed"] = value
    return MethodRow(**{"settings": settings.text, **named, **cost, **outcome, **changes})


ROWS = [
    row(),
    row("random", value=80.0, improvements="2:0.3:80"),
    row("direct", value=0.0, improvements="", status="refused: k"),
    row(instance=K9, value=40.0, improvements="4:0.1:40"),
    row("random", K9, 50.0, "8:0.4:48 9:0.4:50"),
    row("direct", K9, 0.0, "", status="error: E: e", seconds=0.0, seconds_solving=0.0),
]


def test_quality_and_the_first_time_that_it_is_close():
    corners, random, direct, _, late, _ = scores(ROWS)
    assert (corners.quality, random.quality, direct.quality) == (1.0, 0.8, 0.0)
    assert corners.first_close() == (5, 0.2)
    assert random.first_close() == (INF, INF)
    assert late.first_close() == (8, 0.4)


def test_quality_of_bl2_is_the_least_over_the_norm():
    bl2 = replace(K4, question="BL2")
    some = scores([row(instance=bl2, value=2.0, improvements="3:0.1:4 6:0.2:2"),
                   row("random", bl2, 4.0, "1:0.1:4"),
                   row("direct", bl2, INF, "")])  # fmt: skip
    assert [s.quality for s in some] == [1.0, 0.5, 0.0]
    assert some[0].first_close() == (6, 0.2)


def test_problems_without_attack_are_left_out_and_said():
    none = scores([*ROWS, row(instance=replace(K4, seed=3), value=0.0, improvements="")])
    assert len(of_methods(none)) == len(ROWS)
    assert "1 of 3 problems are omitted" in left_out(none)
    assert "Runs refused: direct 1." in left_out(none)


def test_the_reference_tells_the_best_and_is_no_method():
    given = scores([*ROWS[:2], row(REFERENCE, value=200.0, improvements="")])
    assert [s.quality for s in of_methods(given)] == [0.5, 0.4]
    problems = each_problem(given)
    assert [cells["of the best"] for cells in problems] == [0.5, 0.4, 1.0]
    assert np.isnan(problems[2]["solves to 95%"])


def test_a_family_in_short():
    corners, random, direct = summary(scores(ROWS))
    assert (corners["runs"], corners["U / best"], corners["worst"]) == (2, 0.9, 0.8)
    assert corners["solves to 95%"] == INF
    assert corners["get there"] == random["get there"] == "50.0%"
    assert corners["overhead"] == "10%"
    assert (direct["runs"], direct["refused"], direct["errors"]) == (1, 1, 1)
    assert (direct["U / best"], direct["overhead"]) == (0.0, "")


def test_means_for_each_k():
    corners, random, direct = by_column(scores(ROWS))
    assert (corners["iris, k = 4"], corners["iris, k = 9"]) == (1.0, 0.8)
    assert random["iris, k = 9"] == 1.0
    assert np.isnan(direct["iris, k = 4"])
    assert direct["iris, k = 9"] == 0.0


def test_costs_of_the_same_problems_failures_and_refusals_infinite():
    solves, seconds = costs(of_methods(scores(ROWS)))
    assert list(solves) == ["corners", "random", "direct"]
    assert solves["corners"].tolist() == [5, INF]
    assert solves["random"].tolist() == [INF, 8]
    assert solves["direct"].tolist() == [INF, INF]
    assert seconds["corners"].tolist() == [0.2, INF]


def test_pictures_are_drawn(tmp_path):
    paths = draw_family("entries", scores(ROWS), tmp_path)
    assert [path.name for path in paths] == [
        "entries_profile_solves.png",
        "entries_profile_seconds.png",
    ]
    assert all(matplotlib.image.imread(path).ndim == 3 for path in paths)
    nothing = scores([row(value=0.0, improvements="")])
    assert draw_family("entries", nothing, tmp_path / "none") == []


def test_no_two_methods_look_alike():
    looks = [str(style(name)) for _, members in CLASSES.values() for name in members]
    assert len(set(looks)) == len(looks)
    assert all(style(name) for name in UPPER_METHODS)
