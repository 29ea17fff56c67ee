"""The lower level: the exact method, interior points, SSNAL and Clarabel, as by `bilad verify`."""

from __future__ import annotations

import numpy as np

from bilad.scripts.random_problems import draw_model
from bilad.scripts.soak.check import Instance, Verdict
from bilad.scripts.soak.problem_data import clustering_data, model_of
from bilad.scripts.verify import compared


def draw(rng: np.random.Generator) -> Instance:
    """Draw a model of `random_problems`."""
    return clustering_data(draw_model(rng))


def examine(given: Instance) -> Verdict:
    """Compare all methods; a tie within 1e-8 may be open."""
    verdict = Verdict()
    for row in compared(model_of(given)):
        verdict.expect(not row["disagree"], f"{row['']}: two results contradict each other")
        is_open = row["labels unproved"] and not row["ties within 1e-8"]
        verdict.hope(not is_open, f"{row['']}: labels not proved, and no tie")
    return verdict
