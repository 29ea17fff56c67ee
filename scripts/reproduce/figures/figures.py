"""Figures 4 to 8 of the paper: the Iris ray, every step of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bilad.scripts.reproduce.bench import Bench, Part
from bilad.scripts.reproduce.figures import figure4, figure5, figure6, figure7, figure8
from bilad.scripts.reproduce.figures.ray_sites import Ray, Site, ray_of
from bilad.scripts.reproduce.section import Section
from bilad.scripts.settings import SETTINGS


@dataclass(frozen=True)
class Sizes:
    """Which ray."""

    dataset: str = "iris"  # name of a setting


def _part(name: str, title: str, figure: Callable[[Bench, Ray], Section]) -> Part:
    def run(bench: Bench, sizes: Sizes) -> Section:
        ray = ray_of(SETTINGS[sizes.dataset])
        bench.collect("curve", iter(ray.sites), Site, len(ray.sites))
        return figure(bench, ray)

    return Part(name, title, run, Sizes(), Sizes())


PARTS = (
    _part("fig4", "Figure 4: robustness", figure4.figure4),
    _part("fig5", "Figure 5: N_chg and delta", figure5.figure5),
    _part("fig6", "Figure 6: BL1 and BL2", figure6.figure6),
    _part("fig7", "Figure 7: RI and NMI", figure7.figure7),
    _part("fig8", "Figure 8: all three", figure8.figure8),
)
