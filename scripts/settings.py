"""The settings of the experiments, by name, and what the arguments of a command describe.

They are ours: the paper's gamma, weights and perturbed points are partly lost with its formulas.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from bilad.models import (
    ConvexClustering,
    DatasetError,
    MaxDeviation,
    MinPerturbation,
    Perturbation,
    load_dataset,
)
from bilad.scripts.subject import Subject, given_options


@dataclass(frozen=True)
class Setting:
    """One feature of a data set, some of whose points are shifted by a single parameter eps."""

    dataset: str
    points: int  # the number of rows, from the first one
    feature: int  # the column, counted from 0
    scale: float  # a factor by which the feature is multiplied
    unit: str  # the unit of the scaled feature and of eps
    shifted: tuple[int, int]  # the first and the last shifted point, counted from 1, both included
    gamma: float
    budget: float  # a of (BL1)
    step: float  # of direct search
    target: float  # delta_0 of (BL2)
    weight: float = 1.0  # of every edge of the complete graph

    @property
    def options(self) -> dict[str, Any]:
        """The setting as options of a command (`bilad.scripts.options`)."""
        first, last = self.shifted
        return {
            "rows": f"0:{self.points}",
            "columns": str(self.feature),
            "scale": self.scale,
            "gamma": self.gamma,
            "weights": "complete",
            "weight": self.weight,
            "kind": "shift",
            "points": f"{first - 1}:{last}",
            "budget": self.budget,
            "target": self.target,
        }

    @cached_property
    def subject(self) -> Subject:
        """What these options describe."""
        return Subject(self.dataset, {}, self.options, self.unit)

    def model(self) -> ConvexClustering:
        """Return the unperturbed model."""
        return cast(ConvexClustering, self.subject.model)

    def shift(self) -> Perturbation:
        """Return the perturbation: the chosen points are shifted by the same eps."""
        return self.subject.perturbation

    def max_deviation(self) -> MaxDeviation:
        """Return (BL1)."""
        return self.subject.bl1

    def min_perturbation(self) -> MinPerturbation:
        """Return (BL2), with |eps| bounded by the budget of (BL1)."""
        return self.subject.bl2

    def describe(self) -> str:
        """Return the setting in one sentence."""
        first, last = self.shifted
        return (
            f"{self.dataset}, first {self.points} points, feature {self.feature + 1} in "
            f"{self.unit}, equal weights {self.weight:g}, gamma = {self.gamma:g}, points "
            f"{first}..{last} shifted by eps in [-{self.budget:g}, {self.budget:g}] {self.unit}"
        )


SETTINGS = {
    "iris": Setting(
        dataset="iris", points=100, feature=3, scale=10.0, unit="mm", shifted=(51, 70),
        gamma=0.1, budget=8.0, step=0.01, target=1200,
    ),
    # Two large clusters, close to the varieties, and eight small ones. With equal weights on the
    # complete graph, every gamma with fewer clusters gives a single cluster and outliers.
    "seeds": Setting(
        dataset="seeds", points=140, feature=0, scale=1.0, unit="mm^2", shifted=(71, 95),
        gamma=0.0297, budget=2.0, step=0.0025, target=1200,
    ),
    # The classes overlap in proline: most points form one cluster, and twelve of the first class
    # another.
    "wine": Setting(
        dataset="wine", points=178, feature=12, scale=0.01, unit="100 mg/l", shifted=(40, 59),
        gamma=0.0356, budget=4.0, step=0.005, target=1200,
    ),
}  # fmt: skip


def readable_settings(
    names: Iterable[str] = SETTINGS, say: Callable[[str], object] = lambda text: None
) -> dict[str, Setting]:
    """Return the settings with these names whose data can be read; report the others."""
    found = {}
    for name in names:
        try:
            load_dataset(SETTINGS[name].dataset)
        except (DatasetError, OSError) as error:
            say(f"{name} is omitted: {error}")
        else:
            found[name] = SETTINGS[name]
    return found


def subject_of(data: str, *groups: Any, **defaults: Any) -> Subject:
    """Return the subject that groups of options describe.

    Without gamma, the name of a setting stands for its options, which can be changed.

    Parameters
    ----------
    data : str
    *groups : dataclass
        Groups of `bilad.scripts.options`; other fields than those of a subject are ignored.
    **defaults
        Options that hold if neither a group nor a setting gives them.

    Raises
    ------
    ArgumentError
        If an option would have no effect. The model and the perturbation are made, and their
        options are checked, when they are first used.
    """
    given = given_options(groups)
    of_setting, unit = {}, ""
    is_clustering = given.get("model", "clustering") == "clustering"
    if data in SETTINGS and is_clustering and "gamma" not in defaults | given:
        of_setting, unit = SETTINGS[data].options, SETTINGS[data].unit
    subject = Subject(data, given, defaults | of_setting | given, unit)
    subject.refuse_without_effect()
    return subject
