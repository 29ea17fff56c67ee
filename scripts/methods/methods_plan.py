"""Which runs a comparison of methods is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bilad.models import DatasetError
from bilad.scripts.attack_runs import METHODS
from bilad.scripts.methods.instances import Instance
from bilad.scripts.methods.method_rows import REFERENCE, RunSettings
from bilad.scripts.settings import SETTINGS
from bilad.solvers.upper import UPPER_METHODS


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
    missing = set()
    for data in dict.fromkeys(one.data for one in chosen if one.data in SETTINGS):
        try:
            SETTINGS[data].model()
        except DatasetError as error:
            missing.add(data)
            say(f"{data} is left out: {error}")
    return [instance for instance in chosen if instance.data not in missing]


def quick_methods() -> list[str]:
    """Return the methods that need no long preparation."""
    slow = ("milp", "exact")
    return [name for name in UPPER_METHODS if name not in slow and not METHODS[name].takes_starts]
