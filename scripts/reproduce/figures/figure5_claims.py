"""What section 6.2 says of N_chg and delta, judged on every step of the ray."""

from __future__ import annotations

from collections.abc import Sequence

from bilad.scripts.reproduce.figures.ray_sites import (
    COUNTS,
    Ray,
    Value,
    delta,
    shown_steps,
)
from bilad.scripts.reproduce.section import Claim
from bilad.scripts.reproduce.table1.paper_table1 import PaperRow, contradictions
from bilad.scripts.reproduce.verdict import agrees_if

WHERE = "Section 6.2, Figure 5"


def deviation_claims(ray: Ray, paper: Sequence[PaperRow]) -> list[Claim]:
    """Judge the section."""
    return [
        _jumps(ray),
        *(_together(ray, value, name) for value, name in COUNTS),
        *(_rises_and_drops(ray, value, name) for value, name in COUNTS),
        _monotone(ray),
        _monotone_in_the_paper(paper),
    ]


def _jumps(ray: Ray) -> Claim:
    left, right = (len(ray.steps(delta, sign)) for sign in (-1, 1))
    return Claim(
        WHERE,
        "As |eps| grows, delta stays constant and jumps at some eps: a staircase.",
        f"delta jumps {left} times for eps < 0 and {right} times for eps > 0, and nowhere else",
        agrees_if(left + right > 0),
    )


def jumps_alone(ray: Ray, value: Value, other: Value) -> tuple[list[float], list[float]]:
    """Return the eps where only the first value jumps, and where only the other does."""
    places = [
        {step.eps for sign in (-1, 1) for step in ray.steps(each, sign)} for each in (value, other)
    ]
    return sorted(places[0] - places[1]), sorted(places[1] - places[0])


def _together(ray: Ray, value: Value, name: str) -> Claim:
    only_delta, only_count = jumps_alone(ray, delta, value)
    return Claim(
        WHERE,
        f"Jumps of delta coincide with jumps of N_chg ({name}).",
        f"{len(only_delta)} jumps of delta alone{_at(only_delta)}, {len(only_count)} of N_chg "
        f"alone{_at(only_count)}",
        agrees_if(not only_delta and not only_count),
    )


def _at(places: Sequence[float]) -> str:
    text = ", ".join(f"{eps:.4g}" for eps in places[:3])
    return f" (eps = {text}{', ..' if len(places) > 3 else ''})" if places else ""


def _rises_and_drops(ray: Ray, value: Value, name: str) -> Claim:
    """The paper's own words: N_chg reaches its maximum as eps decreases, and then drops."""
    outwards = ray.outwards(-1)
    most = max(value(site) for site in outwards)
    end = value(outwards[-1])
    return Claim(
        WHERE,
        f"As eps decreases from 0, N_chg ({name}) reaches its maximum and then drops.",
        f"largest {most:g} for eps < 0, {end:g} at eps = {outwards[-1].low:g}",
        agrees_if(end < most),
    )


def _monotone(ray: Ray) -> Claim:
    falls = ray.falls(delta)
    found = shown_steps(falls) if falls else "no fall"
    return Claim(
        WHERE,
        "delta is nondecreasing in |eps|.",
        f"along the two half-rays: {len(falls)} falls: {found}",
        agrees_if(not falls),
    )


def _monotone_in_the_paper(paper: Sequence[PaperRow]) -> Claim:
    pairs = [
        f"{near.dataset}: {near.delta} at {near.eps:g}, {far.delta} at {far.eps:g}"
        for near, far in contradictions(paper)
    ]
    return Claim(
        f"{WHERE}, and Table 1",
        "delta, and with it 1 - RI, is nondecreasing in |eps|, by the paper's own rows.",
        "; ".join(pairs) if pairs else "no two rows of one sign contradict it",
        agrees_if(not pairs),
    )
