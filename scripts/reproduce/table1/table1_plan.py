"""What is run for Table 1: methods, their variants, options and limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bilad.scripts.compare import methods_for
from bilad.scripts.settings import Setting
from bilad.solvers.upper import REFORMULATIONS, UPPER_METHODS

DIRECT, DIRECT_SSNAL = "direct", "direct, SSNAL"
FMINCON = "finite-difference"  # five starts; what the paper's fmincon does
ONE_START, INTERIOR_POINT = f"{FMINCON}, one start", f"{FMINCON}, interior point"
FMINCONS = (FMINCON, ONE_START, INTERIOR_POINT)
PROBLEMS = ("BL1", "BL2")


@dataclass(frozen=True)
class Sizes:
    """How much is run.

    Attributes
    ----------
    datasets : tuple of str
        Names of settings.
    seconds : float
        Limit of a run, but for reformulations.
    reformulation_seconds : float
        Their limit; an NLP under way is not cut short by it.
    reformulation_points : tuple of int
        Largest n for which they are run on (BL1), and on (BL2).
    restarts : int
        Searches of a method that restarts.
    coarsening : int
        Step of the direct search, in steps of the setting.
    ssnal_coarsening : int
        The same where SSNAL is the lower level.
    timed : int
        Solves of each lower-level method that are timed.
    """

    datasets: tuple[str, ...] = ("iris", "seeds", "wine")
    seconds: float = 12.0
    reformulation_seconds: float = 60.0
    reformulation_points: tuple[int, int] = (200, 100)
    restarts: int = 5
    coarsening: int = 1
    ssnal_coarsening: int = 40
    timed: int = 40


@dataclass(frozen=True)
class Entry:
    """A method, its lower level, its options, its limit, and what it is run on."""

    name: str
    method: str
    seconds: float
    lower: str = "auto"
    options: dict[str, Any] = field(default_factory=dict)
    problems: Sequence[str] = PROBLEMS


def entries(setting: Setting, sizes: Sizes) -> list[Entry]:
    """Return all methods that take the setting's problems, and variants of two of them."""
    names = methods_for(setting)
    return [entry for name in names for entry in _entries_of(name, setting, sizes)]


def _entries_of(name: str, setting: Setting, sizes: Sizes) -> list[Entry]:
    """Return a method as it is, then its variants."""
    seconds = sizes.seconds
    if name in REFORMULATIONS:
        largest = zip(PROBLEMS, sizes.reformulation_points, strict=True)
        fits = [problem for problem, most in largest if setting.points <= most]
        return [Entry(name, name, sizes.reformulation_seconds, problems=fits)] if fits else []
    options: dict[str, Any] = {}
    if "restarts" in UPPER_METHODS[name].options:
        options["restarts"] = sizes.restarts
    if name == FMINCON:
        one = {"restarts": 1}
        return [
            Entry(name, name, seconds, options=options),
            Entry(ONE_START, name, seconds, options=one),
            Entry(INTERIOR_POINT, name, seconds, options=one | {"solver": "trust-constr"}),
        ]
    if name == DIRECT:
        fine, coarse = (
            {"step": setting.step * factor} for factor in (sizes.coarsening, sizes.ssnal_coarsening)
        )
        return [
            Entry(name, name, seconds, options=fine),
            Entry(DIRECT_SSNAL, name, seconds, "ssnal", coarse),
        ]
    return [Entry(name, name, seconds, options=options)]
