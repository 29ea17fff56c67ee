"""What a lower-level solve costs beside counting the deviation of its labels (section 6.3)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bilad.models import deviation
from bilad.scripts.reproduce.section import Claim
from bilad.scripts.reproduce.table1.table1_claims import BEYOND, COST
from bilad.scripts.reproduce.verdict import agrees_if
from bilad.scripts.settings import Setting
from bilad.solvers.lower.cluster import solve_lower

LOWER = ("ssnal", "exact")
NEGLIGIBLE = 0.05  # of the seconds of both


@dataclass(frozen=True)
class Cost:
    """Seconds of one solve and of one deviation, means over eps spread over the budget.

    Attributes
    ----------
    dataset : str
    lower : {"ssnal", "exact"}
        Cold starts.
    solving, counting : float
        delta is what is counted.
    """

    dataset: str
    lower: str
    solving: float
    counting: float

    @property
    def share(self) -> float:
        """Of the counting."""
        return self.counting / (self.counting + self.solving)


def costs(settings: Sequence[Setting], count: int) -> Iterator[Cost]:
    """Time both at `count` eps, for each setting and lower-level method."""
    for setting in settings:
        model, shift = setting.model(), setting.shift()
        before = solve_lower(model).labels
        grid = np.linspace(-setting.budget, setting.budget, count)
        for lower in LOWER:
            solving = counting = 0.0
            for eps in grid:
                moved = shift.apply(model, eps)
                began = time.perf_counter()
                after = solve_lower(moved, lower).labels
                solved = time.perf_counter()
                deviation(before, after, "delta")
                counting += time.perf_counter() - solved
                solving += solved - began
            yield Cost(setting.dataset, lower, solving / count, counting / count)


def cost_claims(found: Sequence[Cost]) -> list[Claim]:
    """Judge, for each lower-level method, whether counting is negligible."""
    claims = []
    for lower in dict.fromkeys(cost.lower for cost in found):
        own = [cost for cost in found if cost.lower == lower]
        texts = [
            f"{c.dataset}: {1e3 * c.solving:.2g} ms a solve, {1e3 * c.counting:.2g} ms a delta "
            f"({c.share:.1%})"
            for c in own
        ]
        claims.append(
            Claim(
                COST if lower == "ssnal" else f"{BEYOND}, our exact solver",
                f"Evaluating the deviation is negligible beside the lower level ({lower}).",
                "; ".join(texts),
                agrees_if(all(cost.share < NEGLIGIBLE for cost in own)),
            )
        )
    return claims
