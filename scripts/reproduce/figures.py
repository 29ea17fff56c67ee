"""Figures 4 to 8: the Iris ray, every step of it."""

from __future__ import annotations

from dataclasses import dataclass

from bilad.scripts.reproduce.bench import Bench, Part
from bilad.scripts.reproduce.section import Section, Text


@dataclass(frozen=True)
class Sizes:
    """How far the narrow figure looks, in mm."""

    narrow: float = 4.5


def figure4(bench: Bench, sizes: Sizes) -> Section:
    """The robust interval."""
    return Section([Text("to come")])


PARTS = (Part("fig4", "Figure 4: robustness", figure4, Sizes(), Sizes()),)
