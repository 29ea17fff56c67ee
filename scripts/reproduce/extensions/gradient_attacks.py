"""Next check 3: bilevel solvers compared with the gradient attacks FGSM, PGD and MI-FGSM."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from bilad.models.validation import FloatArray
from bilad.scripts.display import grouped
from bilad.scripts.instances import SMALL_CLOUDS, TARGET_CORNERS, TARGET_SHARE, Instance
from bilad.scripts.methods.rows import CLOSE, MethodRow, RunSettings, Score, of_methods, scores
from bilad.scripts.methods.runs import run
from bilad.scripts.reproduce.part import Block, Table, Text
from bilad.solvers.upper import REFORMULATIONS

BILEVEL = ("exact", "milp", *REFORMULATIONS, "hypergradient")
GRADIENT = ("fgsm", "pgd", "mi-fgsm")
SEARCH = ("corners", "random")
METHODS = (*BILEVEL, *GRADIENT, *SEARCH)
KIND = {
    **dict.fromkeys(BILEVEL, "bilevel solver"),
    **dict.fromkeys(GRADIENT, "gradient attack"),
    **dict.fromkeys(SEARCH, "simple search"),
}
# Targets of (BL2), as shares of the deviation that random vertices attain in (BL1).
EASY, HARD = TARGET_SHARE, 0.95
LEVEL = 0.01  # smaller differences of the mean share of the best known are not counted
SHOWN = {  # columns of the table, and their headings
    "kind": "kind", "method": "method", "problems": "problems", "mean": "BL1 mean",
    "worst": "BL1 worst", "close": "BL1 close", "success": "BL2 success", "hard": "BL2 hard",
    "length": "BL2 norm", "solves": "solves", "seconds": "seconds",
}  # fmt: skip


@dataclass(frozen=True)
class Standing:
    """The results of a method on all problems that it supports."""

    kind: str
    method: str
    problems: int
    # (BL1): mean and minimum of U / best known, and the share of the problems with at least 95 %
    mean: float
    worst: float
    close: float
    # (BL2): the shares of the problems whose easy and whose hard target was attained
    success: float
    hard: float
    length: float  # (BL2): mean of the least known ||eps|| over ||eps||; 0 for a failure
    # medians over all problems
    solves: float
    seconds: float

    @property
    def overall(self) -> float:
        """The mean share of the best known over (BL1) and (BL2)."""
        return 0.5 * (self.mean + self.length)


def instances(data: Sequence[tuple[str, int]], seeds: Sequence[int]) -> list[Instance]:
    """Return (BL1), (BL2) and (BL2) with a hard target for each (data, k) and seed."""
    return [
        Instance("small clouds", name, "entries", k, "inf", question, seed=seed, share=share)
        for name, k in data
        for seed in seeds
        for question, share in (("BL1", EASY), ("BL2", EASY), ("BL2", HARD))
    ]


def attacks(
    given: Sequence[Instance],
    solves: int,
    seconds: float,
    seed: int,
    methods: Sequence[str] = METHODS,
) -> Iterator[MethodRow]:
    """Yield a run of each method on each instance, with limits on solves and seconds."""
    for instance in given:
        for method in methods:
            yield run(RunSettings(instance, method, seed, solves, seconds))


def standings(rows: Sequence[MethodRow]) -> list[Standing]:
    """Return the results of each method, on problems for which an attack is known."""
    taken = [score for score in of_methods(scores(rows)) if score.row.taken]
    return [_standing(method, own) for method, own in grouped(taken, lambda s: s.row.method)]


def _standing(method: str, own: Sequence[Score]) -> Standing:
    most = _qualities(own, "BL1", EASY)
    easy, hard = (_qualities(own, "BL2", share) for share in (EASY, HARD))
    return Standing(
        KIND[method],
        method,
        problems=len(own),
        mean=float(most.mean()),
        worst=float(most.min()),
        close=float((most >= CLOSE).mean()),
        success=float((easy > 0).mean()),
        hard=float((hard > 0).mean()),
        length=float(np.append(easy, hard).mean()),
        solves=float(np.median([s.row.solves for s in own])),
        seconds=float(np.median([s.row.seconds for s in own])),
    )


def _qualities(own: Sequence[Score], question: str, share: float) -> FloatArray:
    found = [s.quality for s in own if (s.instance.question, s.instance.share) == (question, share)]
    return np.array(found or [np.nan])


def compared(given: Sequence[Standing]) -> str:
    """Compare the best bilevel solver and gradient attack among those that support all problems."""
    most = max(standing.problems for standing in given)
    common = [standing for standing in given if standing.problems == most]
    kinds = grouped(common, lambda standing: standing.kind)
    best = {kind: max(own, key=lambda s: (s.overall, -s.seconds)) for kind, own in kinds}
    bilevel, rival = best["bilevel solver"], best["gradient attack"]
    if abs(bilevel.overall - rival.overall) < LEVEL:
        lead = f"are equally good: their means over both questions differ by less than {LEVEL:.0%}"
    else:
        lead = "differ: the better is " + max((bilevel, rival), key=lambda s: s.overall).method
    slow, quick = (pick(common, key=lambda s: s.seconds) for pick in (max, min))
    return (
        f"On the problems that all support, the best bilevel solver ({_described(bilevel)}) "
        f"and the best gradient attack ({_described(rival)}) {lead}. The time of {bilevel.method} "
        f"is {bilevel.seconds / rival.seconds:.2g} times that of {rival.method}. The slowest is "
        f"{slow.method} ({slow.seconds:.2g} s, {slow.overall:.1%} of the best known over both "
        f"questions), the fastest is {quick.method} ({quick.seconds:.2g} s, {quick.overall:.1%})."
    )


def _described(own: Standing) -> str:
    return (
        f"{own.method}: {own.mean:.1%} of the best known U, {own.length:.1%} of the least known "
        f"norm, targets attained {own.success:.0%}, hard ones {own.hard:.0%}, {own.seconds:.2g} s"
    )


def gradient_blocks(rows: Sequence[MethodRow], solves: int, seconds: float) -> list[Block]:
    """Return the table and the comparison of bilevel solvers and gradient attacks."""
    every = standings(rows)
    table = Table(
        "Check 3: bilevel solvers, gradient attacks, simple searches",
        [{name: asdict(own)[key] for key, name in SHOWN.items()} for own in every],
        f"Small problems: {SMALL_CLOUDS}. Limits: {solves} solves and {seconds:g} s. BL1: U / best "
        f"known; close: share of the problems with at least 95 %. BL2: the target is {EASY:g} of "
        f"the deviation at {TARGET_CORNERS} random vertices of BL1, a hard target {HARD:g} of it; "
        "success, hard: share of the targets attained; norm: least known norm / norm, 0 for a "
        "failure. A method that does not support some problems is judged on the others, and is "
        "omitted if it supports none. solves, seconds: medians.",
    )
    return [table, Text(compared(every))]
