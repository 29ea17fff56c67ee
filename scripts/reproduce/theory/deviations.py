"""Part `deviations`: which functions have the properties that section 4 requires."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import numpy as np
import pandas as pd

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation
from bilad.models.deviation import PARTITION_DEVIATIONS
from bilad.scripts.experiments.page import Table, Text
from bilad.scripts.reproduce.section import Bench, Claim, Part, Section, agrees_if
from bilad.scripts.settings import readable_settings
from bilad.solvers import Violation, find_violation
from bilad.solvers.upper.deviation_properties import ALONG, IN_NORM, NONNEGATIVE, ZERO

# Properties (iii), (ii) and (i) of the paper; (i) along each ray from 0, and between any two eps.
PROPERTIES = (ZERO, NONNEGATIVE, ALONG, IN_NORM)
INTRODUCTION = (
    "Section 4 requires of a deviation function that it is (i) nondecreasing in ||eps||, (ii) "
    "nonnegative, and (iii) zero at eps = 0. Property (i) is checked along each ray from 0, and "
    "between any two eps. On the rays of our settings every eps is examined in exact arithmetic. "
    "In the plane, random rays are examined, exactly for p = 1 and by samples for p = 2, so that "
    "the absence of a counterexample proves nothing there. Every counterexample was solved again, "
    "with certified labels. Plane: three groups of four normal points (deviation 0.5) around 0, "
    "(2.5, 0.75) and (5, 1.5), weights exp(-0.1 ||a_i - a_j||^2) on the graph of 4 nearest "
    "neighbours, gamma = 0.8, two points perturbed (eps has four components), ||eps||_2 <= 4. "
    "Our settings: {}."
)


def run(bench: Bench) -> Section:
    """Search for counterexamples, and return the report."""
    settings = readable_settings()
    problems = {name: setting.max_deviation() for name, setting in settings.items()}
    problems |= plane_problems()
    found = counterexamples(bench, problems)
    fails = found.groupby(["function", "property"]).problem.agg("; ".join)
    shown = [
        {"function": name, **{own: fails.get((name, own), "") for own in PROPERTIES}}
        for name in PARTITION_DEVIATIONS
    ]
    tables = [
        Table("properties", f"Where a property fails, of {len(problems)} problems", shown),
        Table(
            "counterexamples",
            "The first counterexample of each function and property",
            found.drop_duplicates(["function", "property"]),
            "value: U at eps, larger than at the other eps, which has a larger norm.",
        ),
    ]
    text = INTRODUCTION.format("; ".join(setting.describe() for setting in settings.values()))
    return Section([Text(text), *tables], claims(found, len(problems)))


def counterexamples(bench: Bench, problems: Mapping[str, MaxDeviation]) -> pd.DataFrame:
    """Return the counterexamples with the largest decrease of each function on each problem."""
    rays, points = (2, 6) if bench.quick else (8, 24)
    asked = list(product(problems, PARTITION_DEVIATIONS))
    return pd.DataFrame(
        {"problem": name, "function": function, **vars(violation), **_shown(violation)}
        for name, function in bench.track("properties", asked)
        for violation in find_violation(
            problems[name], function, rays=rays, points=points, seed=bench.seed
        ).violations
    )


def _shown(found: Violation) -> dict[str, str]:
    """Return the texts of the two eps; the second one is missing for two of the properties."""
    both = {"eps": found.eps, "other_eps": found.other_eps}
    return {
        name: "" if eps is None else " ".join(f"{value:.6g}" for value in eps)
        for name, eps in both.items()
    }


def plane_problems() -> dict[str, MaxDeviation]:
    """Return (BL1) for twelve points in the plane, two of them perturbed, p = 1 and p = 2."""
    rng = np.random.default_rng(7)
    A = 0.5 * rng.normal(size=(12, 2)) + 2.5 * (np.arange(12) % 3)[:, None] * [1.0, 0.3]
    graph = FusionGraph.knn(A, k=4, phi=0.1)
    free = Perturbation.additive(A.shape, points=[0, 4])
    return {
        f"plane, p = {p}": MaxDeviation(ConvexClustering(A, graph, 0.8, p), free, 4.0)
        for p in (1, 2)
    }


def claims(found: pd.DataFrame, problems: int) -> list[Claim]:
    """Return the claims of sections 5, 6.2 and 6.4, from the counterexamples on these problems."""
    said = []
    for where, text, function, properties, expected in (
        (
            "Section 5, proof of Theorem 3",
            "delta is 0 at eps = 0 and nowhere negative.",
            *("delta", [ZERO, NONNEGATIVE], True),
        ),
        (
            "Section 6.2",
            "delta is nondecreasing in ||eps||, along the perturbation of the experiments.",
            *("delta", [ALONG], True),
        ),
        (
            "Section 6.4, equation (4)",
            "1 - RI satisfies the properties of a deviation function.",
            *("rand", [ZERO, NONNEGATIVE, ALONG], True),
        ),
        ("Section 6.4", "NMI does not preserve monotonicity.", "nmi", [ALONG], False),
    ):
        own = found[(found.function == function) & found.property.isin(properties)]
        measured = (
            f"{function} has counterexamples on {own.problem.nunique()} of {problems} problems."
        )
        for row in own.head(1).itertuples():
            measured += (
                f" On {row.problem} it is {row.value:.6g} at eps = {row.eps} and "
                f"{row.other_value:.6g} at eps = {row.other_eps}."
            )
        said.append(Claim(where, text, measured, agrees_if(own.empty == expected)))
    return said


PART = Part("deviations", "Sections 5 and 6.4: which functions are deviation functions", run)
