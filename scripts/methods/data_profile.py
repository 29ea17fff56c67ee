"""Data profiles: how many problems a method solves with so many lower-level solves.

More and Wild, SIAM J. Optim. 20 (2009). Solves are counted in units of k + 1, what a finite
difference of k parameters takes, so that problems of different size are comparable.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from bilad.models.validation import FloatArray
from bilad.scripts.performance_profile import solved_within
from bilad.scripts.step_picture import Curves, Styles, draw_steps


def data_profile(solves: Mapping[str, FloatArray], parameters: FloatArray) -> Curves:
    """Return, for each method, budgets in units of k + 1 and the share of the problems solved.

    Parameters
    ----------
    solves : mapping of str to ndarray, shape (problems,)
        Until solved; infinite where a method failed.
    parameters : ndarray, shape (problems,)
        k of each problem.
    """
    costs = {name: spent / (parameters + 1) for name, spent in solves.items()}
    finite = np.concatenate([cost[np.isfinite(cost)] for cost in costs.values()])
    least, most = (finite.min(), finite.max()) if len(finite) else (1.0, 1.0)
    budgets = np.geomspace(least / 1.2, max(most, 2 * least) * 1.2, 400)
    return {name: (budgets, solved_within(cost, budgets)) for name, cost in costs.items()}


def draw_data_profile(
    solves: Mapping[str, FloatArray],
    parameters: FloatArray,
    styles: Styles,
    title: str,
    path: Path,
) -> None:
    """Draw the profile; parameters as in `data_profile`, and a title and the picture's path."""
    draw_steps(
        data_profile(solves, parameters),
        styles,
        "lower-level solves / (k + 1)",
        "share of the problems solved",
        title,
        path,
    )
