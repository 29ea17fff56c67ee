"""Part `grid`: the counts for one and five starts, refusals, and the time of all runs."""

from bilad.scripts.formulations.grid import grid_costs, grid_table
from bilad.scripts.known_problems import known_problems

INF = float("inf")
NAMES = list(known_problems())


def test_the_grid_counts_one_start_five_starts_and_refusals(row):
    rows = [
        row(),
        row(problem=NAMES[2], share=0.5),
        row(problem=NAMES[2], share=1.0, options="starts=5"),
        row(problem=NAMES[4], share=0.5),
        row(problem=NAMES[4], share=0.75, options="starts=5"),
        row(problem=NAMES[6], share=1.0, status="refused"),
        row(variant="milp", status="optimal", bound=2.0),
        row(variant="milp", problem=NAMES[2], share=0.0, status="error: E: e"),
    ]
    kkt, milp = grid_table(rows)
    assert (kkt["problems"], kkt["refused"]) == (3, 1)
    assert (kkt["own, 1 start"], kkt["own, within 5"], kkt["worst share"]) == (
        "33.3%",
        "66.7%",
        0.75,
    )
    assert (milp["own, 1 start"], milp["gap 0"], milp["errors"]) == ("50.0%", "50.0%", 1)
    assert (kkt["gap 0"], kkt["beaten"]) == ("", 0)
    assert grid_table([row(share=1.5)])[0]["beaten"] == 1


def test_the_grid_charges_both_runs(row):
    rows = [
        row(share=0.5, seconds=1.0),
        row(options="starts=5", seconds=3.0),
        row(problem=NAMES[2], seconds=2.0),
        row(variant="corners", seconds=9.0),
    ]
    costs = grid_costs(rows)
    assert costs["kkt scholtes"].tolist() == [4.0, 2.0]
    assert costs["corners"].tolist() == [0.2, INF]
