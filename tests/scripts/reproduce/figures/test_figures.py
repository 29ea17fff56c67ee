"""Figures 4 to 8: the values that they show, and the verdicts for given measurements."""

from dataclasses import replace
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest

from bilad.scripts.reproduce.figures import indices, jumps, optima, robustness
from bilad.scripts.reproduce.figures.indices import nmi_claims, rand_claims
from bilad.scripts.reproduce.figures.jumps import deviation_claims, jumps_alone
from bilad.scripts.reproduce.figures.optima import Reach, Star, reach, stars
from bilad.scripts.reproduce.figures.optima import claims as star_claims
from bilad.scripts.reproduce.figures.ray import Ray, delta, n_changed, ray_of, sites_of
from bilad.scripts.reproduce.figures.robustness import (
    change_of,
    comparisons,
    first_changes,
    form_claims,
    robustness_claims,
    ssnal_claims,
    theorem_3,
    theory_claims,
)
from bilad.scripts.reproduce.part import Bench
from bilad.scripts.reproduce.reassignment import reassignment_deviation
from bilad.scripts.reproduce.table1.paper import PAPER_ROWS, contradictions
from bilad.scripts.settings import SETTINGS
from bilad.solvers import cluster
from bilad.solvers.clustering.parametric.parametric_path import ParametricPath

IRIS = SETTINGS["iris"]
ONE_OFF, TWO_OFF = [0, 1, 2, 2], [0, 1, 2, 3]  # of four points, two and two


def hand_made(values):
    """Return a ray on [-b, b], b = len(values), with labels values[k] for k < |eps| <= k + 1."""
    count, setting = len(values), replace(IRIS, points=len(values[0]), budget=float(len(values)))
    outwards = np.array(values)
    stairs = ParametricPath(
        low=-float(count),
        high=float(count),
        breakpoints=tuple(Fraction(k) for k in range(-count, count + 1) if k != 0),
        between=np.array([*outwards[:0:-1], outwards[0], *outwards[1:]]),
        at_breakpoints=np.array([*outwards[::-1], *outwards]),
    )
    return Ray(setting, stairs, tuple(sites_of(stairs)))


MONOTONE = hand_made([[0, 0, 1, 1], ONE_OFF, TWO_OFF])
FALLING = hand_made([[0, 0, 1, 1], TWO_OFF, ONE_OFF])


def verdicts(claims):
    """Return the verdicts by the texts of the claims."""
    return {claim.claim: claim.verdict for claim in claims}


def test_a_change_is_counted_pair_by_pair():
    rng = np.random.default_rng(0)
    for _ in range(20):
        before, after = rng.integers(0, 3, (2, 9))
        found = change_of(before, after, "eps > 0", 1.0, "1")
        pairs = [
            (before[i] == before[j], after[i] == after[j]) for i, j in combinations(range(9), 2)
        ]
        assert found.torn == pairs.count((True, False))
        assert found.joined == pairs.count((False, True))
        assert found.delta == 2 * (found.torn + found.joined)


def test_first_changes_of_iris_are_those_of_solves_beside_the_steps():
    left, right = first_changes(ray_of(IRIS))
    model, shift = IRIS.model(), IRIS.shift()
    before = cluster(model).labels
    for change, sign in ((left, -1), (right, 1)):
        after = cluster(shift.apply(model, change.eps + sign * 1e-7)).labels
        again = change_of(before, after, change.side, change.eps, change.exact)
        assert again == change
        assert float(Fraction(change.exact)) == change.eps
    assert (left.delta, left.by_theorem_3, left.clusters) == (98, 198, 3)


def test_theorem_3_is_the_closed_form_and_the_papers_jump():
    assert theorem_3(100, 6) == reassignment_deviation((50, 50), (6,)) == 1128


def test_the_form_of_the_first_jump_decides_its_verdict():
    moved = change_of(np.array([0, 0, 0, 1, 1]), np.array([0, 0, 1, 1, 1]), "eps > 0", 1.0, "1")
    alone = change_of(np.array([0, 0, 0, 1, 1]), np.array([0, 0, 2, 1, 1]), "eps > 0", 1.0, "1")
    assert form_claims([moved], 5)[1].verdict == "agrees"
    assert form_claims([moved, alone], 5)[1].verdict == "differs"
    assert [form_claims([], n)[0].verdict for n in (100, 99)] == ["agrees", "differs"]


def test_robustness_needs_an_interval_around_zero_and_attacks_on_both_sides():
    changes = list(first_changes(ray_of(IRIS)))
    found = [
        [claim.verdict for claim in robustness_claims(interval, 0.4, given, 100)]
        for interval, given in (((-0.4, 3.6), changes), ((0.0, 3.6), changes[:1]))
    ]
    assert (found[0][0], found[0][-1]) == ("agrees", "agrees")
    assert (found[1][0], found[1][-1]) == ("differs", "differs")
    assert found[0][1] == found[1][1] == "cannot be compared"


def test_ssnal_agrees_only_within_what_the_gaps_prove():
    rows = list(comparisons(IRIS, 3))
    assert [row.eps for row in rows] == [-8, 0, 8]
    assert ssnal_claims(rows)[0].verdict == "agrees"
    off = replace(rows[1], difference=2 * rows[1].proved)
    assert ssnal_claims([rows[0], off])[0].verdict == "differs"
    assert ssnal_claims([replace(rows[0], status="inaccurate")])[0].verdict == "differs"


def test_theory_of_the_ray():
    ray, rows = ray_of(IRIS), list(comparisons(IRIS, 3))
    calm, predicted, outside = theory_claims(ray, rows)
    # Iris: gamma_min = 0.16 > gamma_max = 0.108, and yet the partition is returned.
    assert "gamma_min = 0.16, gamma_max = 0.108" in predicted.measured
    assert (calm.verdict, predicted.verdict, outside.verdict) == ("agrees", "differs", "differs")
    failing = [replace(row, status="iteration limit") for row in rows]
    assert theory_claims(ray, failing)[2].verdict == "agrees"


def test_where_theorem_2_holds_all_is_predicted(monkeypatch):
    name = "bilad.scripts.reproduce.figures.robustness.guaranteed"
    monkeypatch.setattr(name, lambda ray, eps: True)
    found = theory_claims(ray_of(IRIS), list(comparisons(IRIS, 3)))
    assert [claim.verdict for claim in found[1:]] == ["agrees", "cannot be compared"]


def test_monotone_is_judged_on_every_step():
    claim = "delta is nondecreasing in |eps|."
    assert verdicts(deviation_claims(MONOTONE, PAPER_ROWS))[claim] == "agrees"
    assert verdicts(deviation_claims(FALLING, PAPER_ROWS))[claim] == "differs"
    ri = "RI decreases as |eps| increases."
    assert [verdicts(rand_claims(ray))[ri] for ray in (MONOTONE, FALLING)] == ["agrees", "differs"]
    nmi = "NMI is not monotone in |eps|."
    assert [verdicts(nmi_claims(ray))[nmi] for ray in (MONOTONE, FALLING)] == ["differs", "agrees"]


def test_nmi_that_drops_to_zero_and_rises_is_seen():
    claim = "Beyond a threshold NMI drops to 0 and then jumps to a larger value."
    crossed = [0, 1, 0, 1]  # independent of two and two
    rises = hand_made([[0, 0, 1, 1], crossed, ONE_OFF])
    stays = hand_made([[0, 0, 1, 1], ONE_OFF, crossed])
    found = [verdicts(nmi_claims(ray))[claim] for ray in (rises, stays, FALLING)]
    assert found == ["agrees", "differs", "differs"]


def test_jumps_that_coincide_and_that_do_not():
    together = hand_made([[0, 0, 1, 1], ONE_OFF])
    assert jumps_alone(together, delta, n_changed) == ([], [])
    # All labels change, and no pair.
    renamed = hand_made([[0, 0, 1, 1], [1, 1, 0, 0]])
    assert jumps_alone(renamed, delta, n_changed) == ([], [-1, 1])
    claim = "Jumps of delta coincide with jumps of N_chg (labels as numbered)."
    assert verdicts(deviation_claims(together, PAPER_ROWS))[claim] == "agrees"
    assert verdicts(deviation_claims(renamed, PAPER_ROWS))[claim] == "differs"


def test_the_papers_own_rows_contradict_its_claim():
    pairs = [(near.dataset, near.delta, far.delta) for near, far in contradictions(PAPER_ROWS)]
    assert pairs == [("iris", 4974, 4470), ("seeds", 5750, 4752)]
    assert contradictions([replace(row, delta=1) for row in PAPER_ROWS]) == []
    assert contradictions([replace(PAPER_ROWS[0], eps=6.45), PAPER_ROWS[1]]) == []


def test_the_reach_of_iris_is_the_best_of_a_grid():
    reached, shift, model = reach(ray_of(IRIS)), IRIS.shift(), IRIS.model()
    before = cluster(model).labels
    grid = np.linspace(0.05, 7.95, 40)
    best = 0
    for size in grid:
        for eps in (size, -size):
            after = cluster(shift.apply(model, eps)).labels
            together = before[:, None] == before, after[:, None] == after
            best = max(best, int((together[0] != together[1]).sum()))
        assert best == max(row.largest for row in reached if row.budget <= size)


def test_reach_says_where_it_is_attained():
    assert reach(MONOTONE) == [Reach(0.0, True, 0), Reach(1.0, False, 2), Reach(2.0, False, 4)]
    last = reach(ray_of(IRIS))[-1]
    assert (last.attained, last.largest) == (True, 4998)
    assert last.budget == pytest.approx(1.968)


def test_stars_are_judged_against_the_curve():
    ray, found = ray_of(IRIS), list(stars(IRIS))
    reached = reach(ray)
    judged = [claim.verdict for claim in star_claims(ray, found, reached)]
    assert judged == ["cannot be compared", *["agrees"] * 4]
    less = [replace(found[0], delta=4000), replace(found[1], norm=2.5)]
    judged = [claim.verdict for claim in star_claims(ray, less, reached)]
    assert [judged[1], judged[3], judged[4]] == ["differs"] * 3


def test_a_maximum_at_the_end_of_the_budget_differs():
    found = [Star("BL1", 2.0, 2.0, 4, 4.0, "optimal", True)] * 2
    judged = star_claims(MONOTONE, found, reach(MONOTONE))
    assert judged[2].verdict == "differs"


PARTS = (robustness.PART, jumps.PART, optima.PART, *indices.PARTS)


@pytest.mark.parametrize("part", PARTS, ids=[part.name for part in PARTS])
def test_every_part_writes_its_rows_and_pictures(part, tmp_path):
    section = part.run(Bench(tmp_path, 0, lambda text, done, total: None), part.quick)
    assert section.claims
    names = {path.name for path in tmp_path.iterdir()}
    number = part.name.removeprefix("fig")
    assert {f"figure{number}.png", f"figure{number}.svg"} <= names
    assert any(name.endswith(".csv") for name in names)
