"""Whether an instance is worth attacking: clusters to part or merge, and corners that do it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bilad.scripts.methods.instances import TARGET_CORNERS, Instance
from bilad.scripts.tables import Cells
from bilad.solvers import attack


def check(instance: Instance) -> Cells:
    """Describe the problem at eps = 0 and at random corners of its (BL1).

    Raises
    ------
    DatasetError
        If its data cannot be had.
    """
    problem = replace(instance, question="BL1").problem()
    found = attack(problem, "random", bound="none", closing="none", corners=TARGET_CORNERS)
    clusters = len(np.unique(found.baseline.outcome))
    counted = [seen for seen in found.history if seen.proved]
    moved = sum(seen.deviation > 0 for seen in counted)
    return {
        "family": instance.family,
        "instance": instance.name,
        "n": problem.model.n,
        "d": problem.model.d,
        "clusters": clusters,
        "proved": "yes" if found.baseline.proved else "no",
        "corners": found.lower_solves,
        "that move": moved,
        "values": len({seen.deviation for seen in counted}),
        "largest": found.deviation,
        "of all pairs": found.deviation / problem.deviation.largest(problem.model.n),
        "s / solve": found.seconds_solving / max(found.lower_solves, 1),
        "worth it": "yes" if is_worth_it(clusters, found.baseline.proved, moved) else "NO",
    }


def is_worth_it(clusters: int, proved: bool, moved: int) -> bool:
    """Say whether there is something to attack: clusters that are proved, and can be moved."""
    return clusters > 1 and proved and moved > 0
