"""How far proved bounds of (BL1) lie above what is found: the instances of compare_formulations.

`grid`: problems whose optimum is known. `rays`: the settings, by the staircase. Entries: many free
ones, beside corners and the slope of a smoothed deviation. A bound below what is found is wrong.
Closed: the answer of some method meets its bound, so that it is the optimum.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence

from bilad.models import BilevelProblem
from bilad.models.learning.clustering_problem import clustering_of
from bilad.scripts.certificates.certificate_figures import Figure
from bilad.scripts.formulations.formulations_entries import COUNTS, entry_instances
from bilad.scripts.known_problems import known_problems
from bilad.scripts.settings import Setting
from bilad.solvers import Attack, Clustering, attack
from bilad.solvers.certificates.bounds import optimum_bound
from bilad.solvers.clustering.cluster import solve_lower
from bilad.solvers.upper import UPPER_METHODS
from bilad.solvers.upper.method import refusal

PROVING = ("exact", "milp")  # methods with bounds of their own
SEARCHES = ("corners", "hypergradient")
SOLVES, SECONDS = 200, 2.0  # of a search among free entries
PROVING_SECONDS = 10.0
FEW = COUNTS[:1]


def check_gaps(
    settings: Mapping[str, Setting], seeds: int, seed: int, every: int = 1
) -> Iterator[Figure]:
    """Compare bounds with attacks; yield a row for each problem.

    Parameters
    ----------
    settings : mapping of str to Setting
        Those whose data can be read.
    seeds : int
        Of each kind of free entries; 0 for two of the smallest only.
    seed : int
        The first.
    every : int
        Of the known problems, so manieth.
    """
    for known in list(known_problems().values())[::every]:
        if known.problem.sense == "max":
            kind = f"{known.source}, p = {clustering_of(known.problem).p:g}"
            yield _figure(known.name, f"grid, {kind}", known.problem, PROVING, known.optimum)
    for name, setting in settings.items():
        yield _figure(name, "rays", setting.max_deviation(), PROVING)
    entries = entry_instances(seed, seeds, COUNTS) if seeds else entry_instances(seed, 1, FEW)[:2]
    for instance in entries:
        yield _figure(instance.name, instance.group, instance.problem(), SEARCHES)


def _figure(
    name: str,
    group: str,
    problem: BilevelProblem,
    methods: Sequence[str],
    optimum: float = 0.0,
) -> Figure:
    clustering = solve_lower(clustering_of(problem))
    began = time.perf_counter()
    bound = proved_bound(problem, clustering)
    seconds = time.perf_counter() - began
    found = _attacks(problem, methods)
    proved = [attack.deviation for attack in found if attack.proved]
    best = max(proved, default=0.0)
    known = max(best, optimum)
    bounds = [bound, *(attack.bound for attack in found if attack.bound is not None)]
    return Figure(
        check="gaps",
        group=group,
        instance=name,
        tried=len(bounds),
        wrong=sum(other < known for other in bounds),
        undecided=len(found) - len(proved),
        value=bound / known if known else float("nan"),
        measure="bound / found",
        seconds=seconds,
        closed=int(min(bounds) <= best),
    )


def proved_bound(problem: BilevelProblem, clustering: Clustering) -> float:
    """Return the bound of (BL1), the largest value of the deviation where nothing is proved."""
    bound = optimum_bound(problem, clustering)
    return float(problem.deviation.largest(problem.model.n)) if bound is None else bound


def _attacks(problem: BilevelProblem, methods: Sequence[str]) -> list[Attack]:
    """Attack by each of the methods that takes the problem; by `auto`, if none does."""
    able = [name for name in methods if refusal(UPPER_METHODS[name], problem) is None] or ["auto"]
    proving = able[0] in PROVING
    solves, seconds = (None, PROVING_SECONDS) if proving else (SOLVES, SECONDS)
    return [
        attack(problem, name, max_solves=solves, time_limit=seconds, bound="none", closing="none")
        for name in (able[:1] if proving else able)
    ]
