"""Examples 3 to 15: compared with direct counts and floating point, and the verdicts."""

from dataclasses import replace
from fractions import Fraction
from itertools import combinations, product

import numpy as np
import pytest

from bilad.models import recovery_interval
from bilad.scripts.reproduce.part import Bench
from bilad.scripts.reproduce.theory import examples
from bilad.scripts.reproduce.theory.reassignment_examples import PATTERNS, find
from bilad.scripts.reproduce.theory.reassignment_examples import examples as rebuilt
from bilad.scripts.reproduce.theory.recovery_cells import cells, random_instance
from bilad.scripts.reproduce.theory.recovery_examples import (
    LINE,
    all_cells,
    around_zero,
    changed_share,
    chosen_eps,
    chosen_rows,
    recovery_claims,
)
from bilad.solvers import cluster

BY_NAME = {pattern.examples: pattern for pattern in PATTERNS}


def delta(sizes, moved):
    """Return the number of ordered pairs whose relation changed."""
    before = [k for k, size in enumerate(sizes) for _ in range(size)]
    after = [0] * (sizes[0] - sum(moved)) + [k + 1 for k, s in enumerate(moved) for _ in range(s)]
    after += before[sizes[0] :]
    pairs = combinations(range(len(before)), 2)
    return 2 * sum((before[i] == before[j]) != (after[i] == after[j]) for i, j in pairs)


@pytest.fixture(scope="module")
def line():
    return list(cells(LINE, 0))


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.examples[0])
def test_examples_are_counted_pair_by_pair(pattern):
    rows = list(rebuilt(pattern, 26))
    assert tuple(row.example for row in rows) == pattern.examples
    for row in rows:
        sizes, moved = ([int(part) for part in text.split("+")] for text in (row.sizes, row.moved))
        assert row.delta == row.closed_form == delta(sizes, moved)
        assert row.n_changed == row.leave == sum(moved)
        assert row.rand_deviation == pytest.approx(row.delta / row.n / (row.n - 1))


def test_no_fewer_points_show_the_first_two_patterns():
    """Two clusters: the smallest n is 8, by enumeration."""
    shown = [
        (n1 + n2, (n1, n2), s, t)
        for n1, n2 in product(range(2, 9), repeat=2)
        for s, t in combinations(range(2, n1), 2)
        if t > -((n1 + n2) // -2) and delta((n1, n2), (s,)) == delta((n1, n2), (t,))
    ]
    sizes, moves = find(BY_NAME["5", "6", "7"], 20)
    assert sum(sizes) == min(shown)[0]
    assert (sum(sizes), sizes, *moves[1][:1], *moves[2][:1]) in shown
    assert find(BY_NAME["8", "9"], 20)[0] == (5, 5, 5)


def test_cells_agree_with_floats(line):
    """In each cell, `recovery_interval` and a lower-level solution agree with it."""
    instances = [(LINE, line)]
    rng = np.random.default_rng(3)
    instances += [
        (one, list(cells(one, 1))) for one in (random_instance(rng), random_instance(rng))
    ]
    for instance, own in instances:
        assert own[0].low == -own[-1].high == -Fraction(instance.reach)
        assert sum(cell.length for cell in own) == 2 * Fraction(instance.reach)
        for cell in own:
            if cell.length < Fraction(1, 1000):
                continue
            model = instance.perturbation.apply(instance.model, float(cell.middle))
            found = recovery_interval(model, instance.labels)
            assert found.holds_c1
            assert found.gamma_min == pytest.approx(float(cell.gamma_min))
            assert found.gamma_max == pytest.approx(float(cell.gamma_max))
            assert (found.holds_c2, found.recovers) == (cell.holds_c2, cell.guaranteed)
            labels = cluster(model).labels
            assert cell.unchanged == np.array_equal(labels, instance.labels)


def test_the_intervals_of_the_line(line):
    """Theorem 2 requires (4 + eps) / 5 <= 7 / 8 < (9 + eps / 5) / 10; the exact end is 15 / 8."""
    assert around_zero(line, lambda cell: cell.guaranteed) == "(-5/4, 3/8]"
    assert around_zero(line, lambda cell: cell.holds_c2) == "(-5, 5/9)"
    assert around_zero(line, lambda cell: cell.unchanged) == "(-5/4, 15/8]"
    assert around_zero(line, lambda cell: cell.low > 0) == "none"


def test_the_chosen_eps_show_what_they_are_chosen_for(line):
    rows = dict(
        zip(chosen := chosen_eps(line), chosen_rows(LINE, list(chosen.values())), strict=True)
    )
    seen = [(row.holds_c2, row.guaranteed, row.unchanged) for row in rows.values()]
    assert seen == [
        (True, True, True),
        (True, True, True),
        (False, False, True),
        (False, False, False),
        (True, False, False),
    ]


def test_verdicts_of_section_3():
    found = list(all_cells(10, 0))
    claims = recovery_claims(found)
    assert (claims[0].where, claims[0].verdict) == ("Theorem 1", "agrees")
    claims = claims[1:]
    verdicts = [claim.verdict for claim in claims]
    assert verdicts[:3] == ["agrees", "differs", "agrees"]
    share = changed_share(found, lambda cell: not cell.holds_c2)
    assert (verdicts[3], f"{share:.1%}" in claims[3].measured) == ("cannot be compared", True)
    wrong = [replace(cell, unchanged=not cell.unchanged) for cell in found]
    flipped = [claim.verdict for claim in recovery_claims(wrong)]
    assert flipped[:4] + flipped[5:6] == ["differs"] * 5
    stays = [replace(cell, unchanged=True) for cell in found]
    assert [claim.verdict for claim in recovery_claims(stays)][5:] == ["agrees", "differs"]
    shy = [replace(cell, holds_c2=cell.guaranteed) for cell in found]
    assert recovery_claims(shy)[2].verdict == "agrees"


def test_a_pattern_that_is_not_found_differs():
    rows = [row for pattern in PATTERNS for row in rebuilt(pattern, 9)]
    verdicts = {claim.where: claim.verdict for claim in examples.pattern_claims(rows, 9)}
    assert verdicts["Examples 5, 6, 7"] == "agrees"
    assert verdicts["Examples 8, 9"] == "differs"
    wrong = [replace(row, closed_form=row.delta + 2) for row in rows]
    assert examples.pattern_claims(wrong, 9)[0].verdict == "differs"


def test_the_section(tmp_path):
    sizes = examples.Sizes(most_n=16, random=2)
    section = examples.run(Bench(tmp_path, 0, lambda *_: None), sizes)
    assert {path.name for path in tmp_path.iterdir()} >= {
        "examples.csv",
        "recovery_cells.csv",
        "line.png",
        "line.svg",
    }
    assert len(section.claims) == 7 + len(PATTERNS)
