"""Three equal clusters: decreases agree with the closed form, and determine the verdicts."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from bilad.models.deviation import PARTITION_DEVIATIONS
from bilad.scripts.reproduce.extensions import three_way
from bilad.scripts.reproduce.extensions.three_way import three_way_blocks, three_way_claims
from bilad.scripts.reproduce.reassignment import reassignment_deviation
from bilad.solvers import cluster


@pytest.fixture(scope="module")
def on_partitions():
    return list(three_way.on_partitions(5))


def test_the_moves_are_those_that_the_closed_form_has(on_partitions):
    single, equal = (
        next(r for r in on_partitions if (r.experiment, r.deviation) == (name, "delta"))
        for name in (three_way.SINGLE, three_way.EQUAL)
    )
    places = [place for place in product(range(6), repeat=2) if sum(place) <= 5]
    moves = [
        (place, other)
        for place, other in product(places, repeat=2)
        if sorted(np.subtract(other, place).tolist()) == [0, 1]
    ]
    assert (single.steps, equal.steps) == (len(moves), 2)
    sizes = (5, 5, 5)
    falls = sum(
        reassignment_deviation(sizes, a) > reassignment_deviation(sizes, b) for a, b in moves
    )
    assert single.falls == falls == 0


def test_every_deviation_is_there_and_one_that_falls_says_where(on_partitions):
    assert {row.deviation for row in on_partitions} == set(PARTITION_DEVIATIONS)
    for row in on_partitions:
        assert bool(row.falls) == bool(row.at) == bool(row.largest_fall)
    nmi = next(row for row in on_partitions if row.deviation == "nmi")
    assert nmi.falls > 0
    assert nmi.at == "(0, 5)"  # the first cluster is gone


def test_the_groups_are_what_the_model_returns():
    for space in three_way.CENTRES:
        for seed in (0, 1):  # in the plane the first draw of 1 is not returned
            model, groups = three_way.planted(space, 6, seed)
            found = cluster(model, refine=True)
            assert found.proved
            assert np.array_equal(found.labels, groups)


def test_paths_on_a_line_agree_with_solves():
    model, groups = three_way.planted("line", 6, seed=1)
    delta = [r for r in three_way.moved_together("line", 6, [3], 1) if r.deviation == "delta"]
    direction = three_way.directions("line", 6)
    values = []
    for eps in np.linspace(0, three_way.DISTANCE, 201):
        labels = cluster(model.replace(data=model.data + eps * direction)).labels
        values.append(PARTITION_DEVIATIONS["delta"].value(groups, labels))
    falls = np.count_nonzero(np.diff(values) < 0)
    assert falls <= delta[0].falls
    assert np.count_nonzero(np.diff(values)) <= delta[0].steps


def test_a_partition_is_described_by_its_shares():
    groups = np.repeat([0, 1, 2], 3)
    labels = np.array([0, 1, 2, 2, 2, 2, 3, 3, 3])
    assert three_way.described(labels, groups) == "1+3+0, 0+0+3, 2 times 1+0+0"


def test_one_fall_turns_the_verdict(on_partitions):
    delta = [row for row in on_partitions if row.deviation == "delta"]
    path = replace(delta[0], experiment="line, together")
    calm = three_way_claims([*delta, path], 5)
    assert [claim.verdict for claim in calm] == ["agrees", "agrees"]
    fallen = replace(path, falls=1, largest_fall=2.0, at="eps 3", before="a", after="b")
    claims = three_way_claims([*delta, fallen], 5)
    assert [claim.verdict for claim in claims] == ["agrees", "differs"]
    assert "eps 3" in claims[1].measured
    assert three_way_claims(delta, 5)[1].verdict == "cannot be compared"
    assert three_way_blocks([*delta, fallen], 5)[1].cells[0]["at"] == "eps 3"
