"""The families of instances that the methods are compared on, and the runs that they make."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from bilad.scripts.attack_runs import METHODS
from bilad.scripts.free_entries import DIGITS_GAMMA
from bilad.scripts.methods.instances import CLUSTERERS, TARGET_CORNERS, Instance
from bilad.scripts.methods.method_rows import REFERENCE, RunSettings
from bilad.scripts.settings import SETTINGS, readable_settings
from bilad.scripts.tables import Cells
from bilad.solvers import attack
from bilad.solvers.upper import UPPER_METHODS

BOTH = ("BL1", "BL2")
ENTRIES = {"iris": (5, 20, 60), "gaussians": (5, 20, 60, 200)}  # Iris has 100 points
FACTORS = {"iris": (20, 60), "gaussians": (20, 60)}
EDGES = (20, 60)
SIZE_ENTRIES = BLACK_BOX_ENTRIES = 20
# Of each family one small problem of each question that it has.
QUICK = (
    Instance("table1", "iris", "shift", 1, "2", "BL1"),
    Instance("entries", "iris", "entries", 5, "inf", "BL1"),
    Instance("entries", "iris", "entries", 5, "inf", "BL2"),
    Instance("multiplicative", "iris", "factors", 20, "inf", "BL1"),
    Instance("edges", "gaussians", "edges", 20, "inf", "BL1"),
    Instance("size", "digits 100", "entries", SIZE_ENTRIES, "inf", "BL1"),
    Instance("black-box", "gaussians", "entries", 20, "inf", "BL1", learner="k-means"),
)


def table1(budget: float, seed: int) -> Iterator[Instance]:
    """One eps on Iris, Seeds and Wine, our settings; nothing is drawn."""
    for data in SETTINGS:
        for question in BOTH:
            yield Instance("table1", data, "shift", 1, "2", question, budget)


def entries(budget: float, seed: int) -> Iterator[Instance]:
    """Free entries in the box and in the ball."""
    for data, counts in ENTRIES.items():
        for k in counts:
            for norm in ("inf", "2"):
                for question in BOTH:
                    yield Instance("entries", data, "entries", k, norm, question, budget, seed)


def multiplicative(budget: float, seed: int) -> Iterator[Instance]:
    """Entries that grow or shrink by a factor."""
    for data, counts in FACTORS.items():
        for k in counts:
            for question in BOTH:
                yield Instance("multiplicative", data, "factors", k, "inf", question, budget, seed)


def edges(budget: float, seed: int) -> Iterator[Instance]:
    """Weights of edges; all of them may go (norm inf), or a quarter of them (norm 1)."""
    for k in EDGES:
        for norm in ("inf", "1"):
            for question in BOTH:
                yield Instance("edges", "gaussians", "edges", k, norm, question, budget, seed)


def size(budget: float, seed: int) -> Iterator[Instance]:
    """More and more digits."""
    for n in DIGITS_GAMMA:
        yield Instance("size", f"digits {n}", "entries", SIZE_ENTRIES, "inf", "BL1", budget, seed)


def black_box(budget: float, seed: int) -> Iterator[Instance]:
    """Clusterers of scikit-learn, known by their answers only."""
    for learner in CLUSTERERS:
        for question in BOTH:
            yield Instance(
                "black-box",
                "gaussians",
                "entries",
                BLACK_BOX_ENTRIES,
                "inf",
                question,
                budget,
                seed,
                learner,
            )


FAMILIES = {
    "table1": table1,
    "entries": entries,
    "multiplicative": multiplicative,
    "edges": edges,
    "size": size,
    "black-box": black_box,
}


def instances(
    families: Sequence[str], budgets: Sequence[float], seeds: Sequence[int]
) -> list[Instance]:
    """Return the instances of some families, each once."""
    made = (
        instance
        for family in families
        for seed in seeds
        for budget in budgets
        for instance in FAMILIES[family](budget, seed)
    )
    return list(dict.fromkeys(made))


def quick_instances(families: Sequence[str]) -> list[Instance]:
    """Return one small instance or two of some families."""
    return [instance for instance in QUICK if instance.family in families]


def planned(
    chosen: Sequence[Instance],
    methods: Sequence[str],
    seeds: Sequence[int],
    solves: int | None,
    seconds: float,
    ray_points: int | None = None,
) -> list[RunSettings]:
    """Return the runs; what has one eps is also searched by a fine grid.

    Parameters
    ----------
    chosen : sequence of Instance
        One that is drawn is attacked with its own seed, one that is not with every seed.
    methods : sequence of str
        Keys of `METHODS`.
    seeds : sequence of int
    solves : int or None
        Of one run.
    seconds : float
        Of one run.
    ray_points : int, optional
        Of the fine grid, instead of its own number.
    """
    runs = []
    for instance in chosen:
        is_drawn = instance.kind != "shift"
        if not is_drawn:
            options = {} if ray_points is None else {"points": ray_points}
            runs.append(RunSettings(instance, REFERENCE, 0, None, None, options))
        for seed in [instance.seed] if is_drawn else seeds:
            runs += [RunSettings(instance, method, seed, solves, seconds) for method in methods]
    return runs


def available(chosen: Sequence[Instance], say: Callable[[str], None]) -> list[Instance]:
    """Return the instances whose data can be had; say which cannot."""
    wanted = dict.fromkeys(one.data for one in chosen if one.data in SETTINGS)
    here = readable_settings(wanted, say)
    return [one for one in chosen if one.data in here or one.data not in SETTINGS]


def quick_methods() -> list[str]:
    """Return the methods that need no long preparation."""
    slow = ("milp", "exact")
    return [name for name in UPPER_METHODS if name not in slow and not METHODS[name].takes_starts]


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
