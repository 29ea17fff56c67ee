"""Part `deviations`: which functions have the properties that section 4 requires."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation
from bilad.models.deviation import PARTITION_DEVIATIONS
from bilad.models.validation import FloatArray
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
            "The counterexamples with the largest decrease of U",
            found,
            "U at eps is larger than at the other eps, which has a larger norm.",
        ),
    ]
    text = INTRODUCTION.format("; ".join(setting.describe() for setting in settings.values()))
    return Section([Text(text), *tables], claims(found, len(problems)))


def counterexamples(bench: Bench, problems: Mapping[str, MaxDeviation]) -> pd.DataFrame:
    """Return the counterexamples with the largest decrease of each function on each problem."""
    rays, points = (2, 6) if bench.quick else (8, 24)
    return pd.DataFrame(
        {"problem": name, "function": function, **_row(violation)}
        for name, function in bench.track(
            "properties", list(product(problems, PARTITION_DEVIATIONS))
        )
        for violation in find_violation(
            problems[name], function, rays=rays, points=points, seed=bench.seed
        ).violations
    )


def _row(found: Violation) -> dict[str, Any]:
    return {
        "property": found.property,
        "eps": _shown(found.eps),
        "norm": found.norm,
        "U": found.value,
        "other eps": "" if found.other_eps is None else _shown(found.other_eps),
        "other norm": found.other_norm,
        "other U": found.other_value,
    }


def _shown(eps: FloatArray) -> str:
    return " ".join(f"{value:.6g}" for value in eps)


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

    def failing(function: str, *properties: str) -> pd.DataFrame:
        return found[(found.function == function) & found.property.isin(properties)]

    def described(function: str) -> str:
        own = failing(function, ALONG)
        names = f" ({'; '.join(own.problem)})" if len(own) else ""
        text = f"It decreases along a ray on {len(own)} of {problems} problems{names}."
        for row in own.head(1).to_dict("records"):
            text += (
                " On {problem}, it is {U:.6g} at eps = {eps} and {other U:.6g} at eps = "
                "{other eps}."
            ).format(**row)
        return text

    signs = failing("delta", ZERO, NONNEGATIVE)
    return [
        Claim(
            "Section 5, proof of Theorem 3",
            "delta is 0 at eps = 0 and nowhere negative.",
            f"There are {len(signs)} counterexamples on {problems} problems.",
            agrees_if(signs.empty),
        ),
        Claim(
            "Section 6.2",
            "delta is nondecreasing in ||eps||, along the perturbation of the experiments.",
            described("delta"),
            agrees_if(failing("delta", ALONG).empty),
        ),
        Claim(
            "Section 6.4, equation (4)",
            "1 - RI satisfies the properties of a deviation function.",
            described("rand"),
            agrees_if(failing("rand", ZERO, NONNEGATIVE, ALONG).empty),
        ),
        Claim(
            "Section 6.4",
            "NMI does not preserve monotonicity.",
            f"1 - NMI: {described('nmi')}",
            agrees_if(not failing("nmi", ALONG).empty),
        ),
    ]


PART = Part("deviations", "Sections 5 and 6.4: which functions are deviation functions", run)
