"""Figures 4 to 8: jumps of paths made by hand, and the verdicts for given paths."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from bilad.scripts.reproduce import figures
from bilad.scripts.reproduce.figures import (
    apart,
    deviation_claims,
    first_changes,
    index_claims,
    large_counts,
    optimum_claims,
    robustness_claims,
)
from bilad.scripts.reproduce.paper import PAPER, contradictions
from bilad.scripts.reproduce.ray import Ray, pieces_of, ray_of
from bilad.scripts.reproduce.section import Bench
from bilad.scripts.settings import SETTINGS
from bilad.solvers.clustering.parametric.parametric_path import ParametricPath

IRIS = SETTINGS["iris"]
START, ONE_OFF, TWO_OFF = [0, 0, 1, 1], [0, 1, 2, 2], [0, 1, 2, 3]  # of four points, two and two


def hand_made(values, left=None):
    """Return a ray with labels values[k] for k <= eps < k + 1, and the same or others to the left.

    The partition at a breakpoint is that of the interval closer to 0.
    """
    left, count = left or values, len(values)
    setting = replace(IRIS, points=len(values[0]), budget=float(count))
    stairs = ParametricPath(
        low=-float(count),
        high=float(count),
        breakpoints=tuple(Fraction(k) for k in range(-count, count + 1) if k != 0),
        between=np.array([*left[:0:-1], values[0], *values[1:]]),
        at_breakpoints=np.array([*left[::-1], *values]),
    )
    return Ray(setting, stairs, pieces_of(stairs))


MONOTONE = hand_made([START, ONE_OFF, TWO_OFF])
FALLING = hand_made([START, TWO_OFF, ONE_OFF])
RENAMED = hand_made([START, [1, 1, 0, 0]])  # all labels change, and no pair


def verdicts(claims):
    """Return the verdicts in order."""
    return [claim.verdict for claim in claims]


def test_jumps_are_met_outwards_on_either_side():
    ray = hand_made([START, TWO_OFF, ONE_OFF], left=[START, [0, 1, 0, 1], TWO_OFF])
    assert ray.interval == (-1, 1)
    assert ray.jumps("delta").to_numpy().tolist() == [
        [1, 0, 4], [2, 4, 2], [-1, 0, 8], [-2, 8, 4],
    ]  # fmt: skip
    assert ray.reversals("delta").eps.tolist() == [2, -2]
    assert ray.reversals("RI").eps.tolist() == [2, -2]
    assert hand_made([START]).interval == (-1, 1)


def test_the_first_changes_and_their_form():
    other = [0, 1, 1, 1]  # one point has moved: 2 s (n - s) = 6
    moved, alone = hand_made([START, other]), hand_made([START, other], left=[START, ONE_OFF])
    assert first_changes(moved)["by Theorem 3"].tolist() == [6, 6]
    assert first_changes(alone).delta.tolist() == [2, 6]
    for ray, certified, judged in (
        (moved, 0.4, ["agrees", "agrees"]),
        (moved, 0.0, ["differs", "agrees"]),
        (alone, 0.4, ["agrees", "differs"]),
        (hand_made([START]), 0.4, ["differs", "differs"]),
    ):
        assert verdicts(robustness_claims(ray, first_changes(ray), certified)) == judged


def test_a_change_shorter_than_the_rounding_is_not_the_first():
    ray = hand_made([START, ONE_OFF, TWO_OFF])
    short = ray.pieces.copy()
    short.loc[(short.start == 1) & (short.end == 2), "end"] = 1 + 1e-12
    assert first_changes(replace(ray, pieces=short)).delta.tolist() == [4, 4]


def test_monotone_is_judged_on_every_jump():
    assert [verdicts(deviation_claims(ray))[2] for ray in (MONOTONE, FALLING)] == [
        "agrees", "differs",
    ]  # fmt: skip
    judged = [verdicts(index_claims(ray)) for ray in (MONOTONE, FALLING)]
    assert judged[0] == ["agrees", "agrees", "differs", "differs"]
    assert judged[1] == ["agrees", "differs", "agrees", "differs"]


def test_nmi_that_drops_to_zero_and_rises_is_seen():
    crossed = [0, 1, 0, 1]  # independent of two and two
    rises, stays = hand_made([START, crossed, ONE_OFF]), hand_made([START, ONE_OFF, crossed])
    assert [verdicts(index_claims(ray))[3] for ray in (rises, stays)] == ["agrees", "differs"]


def test_an_index_that_is_one_for_another_partition_is_seen():
    wrong = FALLING.pieces.assign(NMI=1.0)
    assert verdicts(index_claims(replace(FALLING, pieces=wrong)))[0] == "differs"


def test_jumps_that_coincide_and_that_do_not():
    together = hand_made([START, ONE_OFF])
    assert apart(together, "delta", "changed") == (0, 0)
    assert apart(RENAMED, "delta", "changed") == (0, 2)
    judged = [verdicts(deviation_claims(ray))[0] for ray in (together, RENAMED)]
    assert judged == ["agrees", "differs"]


def test_a_count_that_drops_again_is_seen():
    drops = hand_made([START, ONE_OFF, [0, 0, 0, 1]])  # 3 labels, then 1
    judged = [verdicts(deviation_claims(ray))[1] for ray in (MONOTONE, drops)]
    assert judged == ["differs", "agrees"]


def test_large_counts_are_compared_with_the_rest():
    assert large_counts(MONOTONE).verdict == "agrees"
    assert large_counts(RENAMED).verdict == "differs"


def test_the_papers_own_rows_contradict_its_claim():
    pairs = contradictions(PAPER)[["data", "delta", "delta_far"]].to_numpy().tolist()
    assert pairs == [["iris", 4974, 4470], ["seeds", 5750, 4752]]
    assert contradictions(PAPER.assign(delta=1)).empty
    assert contradictions(PAPER.assign(eps=[1, -2] * 3)).empty


def test_stars_are_judged_against_the_curve():
    ray, least = ray_of(IRIS), ray_of(IRIS).pieces.query("delta >= 1200").start.min()
    optima = pd.DataFrame({"delta": [4998, 4998], "norm": [2.0, least], "bound": 4998})
    assert verdicts(optimum_claims(ray, optima)) == ["agrees"] * 3
    less = optima.assign(delta=[4000, 4998], norm=[2.0, 2.5])
    assert verdicts(optimum_claims(ray, less)) == ["differs", "agrees", "differs"]
    assert verdicts(optimum_claims(MONOTONE, optima))[1] == "differs"


@pytest.mark.parametrize("part", figures.PARTS, ids=lambda part: part.name)
def test_every_part_draws_its_picture_with_its_data(part, tmp_path):
    section = part.run(Bench(tmp_path, 0, True, lambda text, done, total: None))
    assert section.claims
    name = part.name.replace("fig", "figure")
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{name}.{suffix}" for suffix in ("svg", "pdf", "csv")
    }
