"""Part `entries`: formulations compared with simple searches after the same time."""

import numpy as np
import pytest

from bilad.scripts.attack_runs import VARIANTS
from bilad.scripts.formulations.entries import (
    entry_costs,
    entry_instances,
    entry_runs,
    entry_table,
)
from bilad.scripts.instances import Instance

INF = float("inf")


def test_entries_show_when_corner_search_wins(row):
    instances = entry_instances(0, 2, [5])[:2]
    first, second = (instance.name for instance in instances)
    rows = [
        row(problem=first, value=50.0, own=25.0, seconds=0.15),
        row(problem=first, variant="corners", value=100.0, improvements="0.1:60 5.0:100"),
        row(problem=second, value=100.0, own=100.0, improvements="0.3:100"),
        row(problem=second, variant="corners", value=80.0, improvements="0.1:80"),
        row(problem=second, variant="milp", value=0.0, status="refused"),
    ]
    kkt, corners = entry_table(rows, instances)
    assert kkt["instance"] == "iris, entries 5, norm inf, BL1"
    assert (kkt["U / best"], kkt["own / best"], kkt["worst U / best"]) == (0.75, 0.625, 0.5)
    assert kkt["corners then"] == pytest.approx((0.6 + 0.8) / 2)
    assert np.isnan(kkt["random then"])
    assert corners["U / best"] == pytest.approx(0.9)
    costs = entry_costs(rows)
    assert costs["kkt scholtes"].tolist() == [INF, 0.3]
    assert costs["corners"].tolist() == [5.0, INF]


def test_entries_of_one_instance():
    instances = [Instance("entries", "iris", "entries", 5, "inf", "BL1")]
    variants = [VARIANTS["corners"], VARIANTS["random"], VARIANTS["milp"]]
    rows = list(entry_runs(instances, variants, 0.3))
    assert [one.status for one in rows][2] == "refused"
    table = entry_table(rows, instances)
    assert max(cells["U / best"] for cells in table) == 1.0
    assert len(table) == 2
