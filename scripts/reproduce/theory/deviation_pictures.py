"""Every deviation function as points leave a cluster."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from bilad.models import deviation, monotone_range
from bilad.models.deviation import DEVIATIONS
from bilad.scripts.reproduce.theory.spill_checks import Counts
from bilad.scripts.reproduce.theory.spill_paths import along

SPILLS: tuple[Counts, ...] = ((30, 70), (70, 30))
DASHES = ("-", ":", "--", "-", "-.", "--", ":")
COLOURS = ("#000000", "#E69F00", "#009E73", "#56B4E9", "#0072B2", "#D55E00", "#CC79A7")


def draw_spills(figure: Figure) -> None:
    """Draw every function as points leave, over its own maximum."""
    both = figure.subplots(1, len(SPILLS), sharey=True)
    for axes, sizes in zip(both, SPILLS, strict=True):
        partitions = along(sizes, (1,))
        for name, dash, colour in zip(DEVIATIONS, DASHES, COLOURS, strict=True):
            values = np.array([deviation(partitions[0], other, name) for other in partitions])
            axes.plot(values / values.max(), dash, color=colour, linewidth=1.6, label=name)
        axes.axvline(monotone_range(sizes, (1,)), color="0.4", linestyle=(0, (1, 3)))
        axes.set(title=" + ".join(map(str, sizes)), xlabel="s, points that leave")
    both[0].set_ylabel("U / largest U")
    figure.legend(*both[0].get_legend_handles_labels(), loc="outside right upper")
