"""Pictures of a family of instances: performance and data profiles, anytime curves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bilad.models.validation import FloatArray
from bilad.scripts.methods.anytime_curves import draw_anytime
from bilad.scripts.methods.data_profile import draw_data_profile
from bilad.scripts.methods.method_scores import CLOSE, Score, of_methods
from bilad.scripts.methods.method_styles import style
from bilad.scripts.performance_profile import LEAST_SECONDS, draw_profile
from bilad.scripts.tables import grouped

Costs = dict[str, FloatArray]


def costs(given: Sequence[Score]) -> tuple[Costs, Costs, FloatArray]:
    """Return solves and seconds until close to the best, and k, for the same problems throughout.

    A problem is an instance with a seed. One that a method refuses, it does not solve; a method
    that refuses all is left out. The best method at any cost comes first.
    """
    problems = list(dict.fromkeys((s.row.instance, s.row.seed) for s in given))
    parameters = {(s.row.instance, s.row.seed): float(s.instance.k) for s in given}
    solves, seconds = {}, {}
    for method, own in grouped(given, lambda s: s.row.method):
        if any(score.row.taken for score in own):
            close = {(s.row.instance, s.row.seed): s.first_close() for s in own}
            spent = np.array([close.get(problem, (np.inf, np.inf)) for problem in problems])
            solves[method], seconds[method] = spent.T
    ranked = sorted(solves, key=lambda method: -int(np.isfinite(solves[method]).sum()))
    return (
        {method: solves[method] for method in ranked},
        {method: seconds[method] for method in ranked},
        np.array([parameters[problem] for problem in problems]),
    )


def draw_family(family: str, given: Sequence[Score], folder: Path) -> list[Path]:
    """Draw all pictures of a family; none if there is nothing to show.

    Returns
    -------
    list of Path
        Of the pictures.
    """
    counted = of_methods(given)
    solves, seconds, parameters = costs(counted)
    if not solves:
        return []
    styles = {method: style(method) for method in solves}
    names = ("profile_solves", "profile_seconds", "data_profile", "anytime")
    paths = [folder / f"{family}_{name}.png" for name in names]
    title = f"{family}: {{}} to {CLOSE:.0%} of the best known, {len(parameters)} problems"
    draw_profile(solves, title.format("solves"), paths[0], unit="solves", least=1.0, styles=styles)
    draw_profile(seconds, title.format("seconds"), paths[1], least=LEAST_SECONDS, styles=styles)
    draw_data_profile(solves, parameters, styles, title.format("solves"), paths[2])
    taken = [score for method in solves for score in counted if score.row.method == method]
    draw_anytime(
        [score for score in taken if score.row.taken],
        styles,
        f"{family}: median and quartiles over the problems that a method takes",
        paths[3],
    )
    return paths
