"""Three equal clusters: decreases agree with the closed form and with single solves."""

from itertools import pairwise, product

import numpy as np
import pytest

from bilad.models.deviation import PARTITION_DEVIATIONS
from bilad.scripts.reproduce.section import Bench
from bilad.scripts.reproduce.theory import three_clusters
from bilad.scripts.reproduce.theory.reassignment import closed_form, partition
from bilad.solvers import cluster

GROUPS = partition([6, 6, 6])


def test_the_moves_are_those_that_the_closed_form_has():
    places = [place for place in product(range(6), repeat=2) if sum(place) <= 5]
    moves = [
        (one, two)
        for one, two in product(places, repeat=2)
        for more in [tuple(np.subtract(two, one).tolist())]
        if more in {(0, 1), (1, 0)} or (more == (1, 1) and one[0] == one[1])
    ]
    found = three_clusters.row(
        "partitions", "all", three_clusters.on_partitions(5), partition([5] * 3)
    )
    sizes = (5, 5, 5)
    falls = sum(closed_form(sizes, one) > closed_form(sizes, two) for one, two in moves)
    assert (found["changes"], found["delta"]) == (len(moves), falls)
    assert falls == 0 < found["nmi"]


def test_decreases_are_counted_and_measured():
    labels = [partition([3, 3]), np.array([1, 1, 0, 1, 1, 1]), np.ones(6, int), np.ones(6, int)]
    found = three_clusters.row("x", "y", pairwise(labels), labels[0])
    delta = [PARTITION_DEVIATIONS["delta"].value(labels[0], own) for own in labels]
    assert delta == [0, 16, 18, 18]
    assert (found["changes"], found["delta"], found["largest %"]) == (2, 0, 0)
    back = three_clusters.row("x", "y", pairwise(labels[::-1]), labels[0])
    assert (back["changes"], back["delta"]) == (2, 2)
    assert back["largest %"] == pytest.approx(100 * 16 / 18)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("space", list(three_clusters.CENTRES))
def test_the_groups_are_what_the_model_returns(space, seed):
    """In the plane, the first draw of seed 1 is not returned."""
    found = cluster(three_clusters.planted(space, GROUPS, seed), refine=True)
    assert found.proved
    assert np.array_equal(found.labels, GROUPS)


def test_paths_on_a_line_agree_with_solves():
    model = three_clusters.planted("line", GROUPS, seed=1)
    shifts = np.array([[-1.0], [1.0]] * 3)
    delta = PARTITION_DEVIATIONS["delta"].value
    by_path = [delta(GROUPS, labels) for labels in three_clusters.along(model, shifts)]
    values = []
    for eps in np.linspace(0, three_clusters.DISTANCE, 201):
        data = model.data.copy()
        data[:6] += eps * shifts
        values.append(delta(GROUPS, cluster(model.replace(data=data)).labels))
    assert set(values) <= set(by_path)
    assert by_path[0] == values[0] == 0
    assert by_path[-1] == values[-1]


@pytest.mark.slow
def test_the_figures_of_the_documentation():
    section = three_clusters.run(Bench(None, 0, False, lambda *_: None))
    found = section.blocks[0].rows
    partitions = found.experiment == "partitions"
    assert found[partitions][["changes", "delta"]].to_numpy().tolist() == [[430, 0]]
    assert found[~partitions][["changes", "delta"]].sum().tolist() == [149, 16]
    assert [claim.verdict for claim in section.claims] == ["agrees", "differs"]
