"""Theorems 1 and 2 in rational arithmetic, and the exact recovery test where they do not apply."""

import runpy
from fractions import Fraction
from itertools import combinations, pairwise, product
from pathlib import Path

import numpy as np
import pytest

from bilad.models import ConvexClustering, FusionGraph, Perturbation, recovery_interval
from bilad.scripts.reproduce.theory import examples
from bilad.solvers import cluster
from bilad.solvers.clustering.parametric.parametric_path import parametric_path

LINE = examples.LINE, examples.GROUPS, 9, 8


def random_instance(rng):
    """Return two clusters on a line that Theorem 1 guarantees; one point is shifted.

    Each has 3 to 8 points, multiples of 1/16 in an interval of length 4. The weights are 1.
    """
    sizes = rng.integers(3, 9, 2)
    n = int(sizes.sum())
    parts = [np.sort(rng.integers(0, 65, size)) / 16 for size in sizes]
    gamma_min = max(np.ptp(part) / len(part) for part in parts) + 1 / 16
    gap = n * gamma_min * rng.uniform(1.1, 2.0)
    shift = np.ceil(16 * (gap + parts[0].mean() - parts[1].mean())) / 16
    data = np.concatenate([parts[0], parts[1] + shift])
    apart = data[sizes[0] :].mean() - data[: sizes[0]].mean()
    gamma = np.round(1024 * rng.uniform(gamma_min, apart / n)) / 1024
    model = ConvexClustering(data[:, None], FusionGraph.complete(n), float(gamma))
    return model, np.repeat([0, 1], sizes), int(rng.integers(n)), int(np.ceil(apart))


def cells(model, labels, moved, reach):
    """Yield (low, high, gamma_min, gamma_max, whether the partition is unchanged).

    With weights 1 on the complete graph (C1') holds. gamma_min is the largest |a_i - a_j| / n_a in
    a cluster, and gamma_max is |abar_1 - abar_2| / n. Both are piecewise linear in eps. The
    interval of eps is divided where two terms, or a term and gamma, are equal, and where the
    partition changes; a cell is an open interval, or a single eps. The values are in its middle.
    """
    values = [Fraction(float(a)) for a in model.data[:, 0]]
    lines = [np.array([a, Fraction(i == moved)]) for i, a in enumerate(values)]
    groups = [[line for line, k in zip(lines, labels, strict=True) if k == own] for own in (0, 1)]
    inner = [(a - b) / len(own) for own in groups for a, b in combinations(own, 2)]
    first, second = (sum(own) / Fraction(len(own)) for own in groups)
    outer, gamma = (first - second) / len(lines), np.array([Fraction(model.gamma), Fraction(0)])
    path = parametric_path(model, Perturbation.shift(np.eye(model.n)[:, [moved]]), -reach, reach)
    ends = set(path.breakpoints)
    for one, other in [*product([*inner, outer], [gamma]), *product(inner, [outer])]:
        for value, slope in (one - other, one + other):
            if slope and abs(value / slope) < reach:
                ends.add(-value / slope)
    places = sorted(ends)
    spans = [span for low, high in pairwise(places) for span in ((low, low), (low, high))]
    for low, high in [*spans, (places[-1], places[-1])]:
        eps = (low + high) / 2
        gamma_min = max(abs(value + eps * slope) for value, slope in inner)
        unchanged = np.array_equal(path.labels_at(eps), labels)
        yield low, high, gamma_min, abs(outer[0] + eps * outer[1]), unchanged


@pytest.mark.parametrize("instances", [10, pytest.param(300, marks=pytest.mark.slow)])
def test_no_cell_contradicts_theorem_2(instances):
    rng = np.random.default_rng(0)
    guaranteed = against = 0
    for instance in [LINE, *(random_instance(rng) for _ in range(instances))]:
        gamma = Fraction(instance[0].gamma)
        for _, _, gamma_min, gamma_max, unchanged in cells(*instance):
            if gamma_min <= gamma < gamma_max:
                assert unchanged
                guaranteed += 1
            against += gamma_min < gamma_max and not unchanged
    assert guaranteed > 2 * instances
    assert against > instances  # (C2') alone does not suffice if gamma is fixed


def test_cells_agree_with_floats():
    rng = np.random.default_rng(3)
    for model, labels, moved, reach in [LINE, random_instance(rng), random_instance(rng)]:
        own = list(cells(model, labels, moved, reach))
        assert own[0][0] == -own[-1][1] == -reach
        assert sum(high - low for low, high, *_ in own) == 2 * reach
        for low, high, gamma_min, gamma_max, unchanged in own:
            if high - low < Fraction(1, 1000):
                continue
            data = model.data.copy()
            data[moved] += float((low + high) / 2)
            found = recovery_interval(model.replace(data=data), labels)
            assert found.holds_c1
            assert found.gamma_min == pytest.approx(float(gamma_min))
            assert found.gamma_max == pytest.approx(float(gamma_max))
            labels_now = cluster(model.replace(data=data)).labels
            assert unchanged == np.array_equal(labels_now, labels)


def around_zero(holds):
    """Return the ends of the cells around 0 of `LINE` for which a condition holds."""
    own = list(cells(*LINE))
    kept = [holds(*cell[2:]) for cell in own]
    first = last = next(k for k, cell in enumerate(own) if cell[0] <= 0 <= cell[1])
    while kept[first - 1]:
        first -= 1
    while kept[last + 1]:
        last += 1
    return own[first][0], own[last][1], own[first][0] == own[first][1], own[last][0] == own[last][1]


def test_the_intervals_of_the_line():
    """Theorem 2 requires (4 + eps) / 5 <= 7 / 8 < (9 + eps / 5) / 10; the exact end is 15 / 8."""
    gamma, at = Fraction(7, 8), Fraction
    assert around_zero(lambda low, high, _: low <= gamma < high) == (
        at(-5, 4),
        at(3, 8),
        False,
        True,
    )
    assert around_zero(lambda low, high, _: low < high) == (at(-5), at(5, 9), False, False)
    assert around_zero(lambda low, high, same: same) == (at(-5, 4), at(15, 8), False, True)


def test_the_table_of_the_line_is_that_of_the_cells():
    found = examples.conditions()
    for low, high, gamma_min, gamma_max, unchanged in cells(*LINE):
        own = found[(found.eps > low) & (found.eps < high)]
        assert (own.same == unchanged).all()
        assert (own["(C2')"] == (gamma_min < gamma_max)).all()
        assert (own["gamma in it"] == (gamma_min <= Fraction(7, 8) < gamma_max)).all()
    verdicts = [claim.verdict for claim in examples.recovery_claims(found)]
    assert verdicts == ["agrees", "differs", "cannot be compared"]
    other = examples.recovery_claims(found.assign(same=~found.same))
    assert other[0].verdict == "differs"
    still = examples.recovery_claims(found.assign(same=True))
    assert still[1].verdict == "agrees"


@pytest.mark.slow
def test_recovery_without_the_assumptions(capsys):
    """The figures of the documentation, from the program of the gallery."""
    program = Path(__file__).parents[2] / "examples" / "recovery.py"
    found = runpy.run_path(str(program))["found"]
    columns = ["instances", "no guarantee", "yet returned"]
    assert found[columns].to_numpy().tolist() == [
        *([48, 14, 5], [36, 36, 23], [24, 0, 0], [24, 24, 0], [24, 24, 24]),
    ]
    assert found["guaranteed gammas"].sum() == 207
    assert found["refuted"].sum() == 0
