"""Figures 4 to 8 of the paper: the Iris ray, every step of it."""

from __future__ import annotations

from bilad.scripts.reproduce.bench import Part
from bilad.scripts.reproduce.figures import figure4, figure5, figure6, figure7, figure8
from bilad.scripts.reproduce.figures.ray_sites import RaySizes

RAY = RaySizes()
PARTS = (
    Part("fig4", "Figure 4: robustness", figure4.figure4, figure4.Sizes(), figure4.Sizes()),
    Part("fig5", "Figure 5: N_chg and delta", figure5.figure5, RAY, RAY),
    Part("fig6", "Figure 6: BL1 and BL2", figure6.figure6, RAY, RAY),
    Part("fig7", "Figure 7: RI and NMI", figure7.figure7, RAY, RAY),
    Part("fig8", "Figure 8: all three", figure8.figure8, figure8.Sizes(), figure8.Sizes()),
)
