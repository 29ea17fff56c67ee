"""`bilad starts`: the reformulations from several starts, against direct search with SSNAL.

The comparison in time is with the paper's way: the grid -a : step : a, each point by SSNAL.
"""

from __future__ import annotations

import numpy as np
from rich.console import Console
from rich.progress import track

from bilad.scripts.interrupts import noted_interrupts
from bilad.scripts.settings import Setting
from bilad.scripts.tables import Cells, show
from bilad.solvers import Attack, attack

METHODS = ("kkt", "value-function")
STARTS = (0.0, -0.75, -0.375, 0.375, 0.875)  # in units of the budget


def starts(setting: Setting, console: Console) -> None:
    """Print what each method finds for (BL1) from each start."""
    problem = setting.max_deviation()
    console.print(f"Our setting: {setting.describe()}.")
    with noted_interrupts() as interrupts:
        grid = attack(
            problem, "direct", lower="ssnal", bound="none", closing="none", step=setting.step
        )
        interrupts.check()
    title = (
        f"BL1; direct search, step {setting.step:g}, by SSNAL: delta {grid.deviation:g}, "
        f"{grid.lower_solves} solves, {grid.seconds:.1f} s"
    )
    cells: list[Cells] = []
    runs = [(method, setting.budget * start) for method in METHODS for start in STARTS]
    try:
        with noted_interrupts() as interrupts:
            for method, start in track(runs, "starts", console=console, transient=True):
                found = attack(
                    problem, method, bound="none", closing="none", start=np.array([start])
                )
                interrupts.check()
                cells.append(
                    {
                        "method": method,
                        "start": start,
                        **_answer(found, grid),
                        "lower solves": found.lower_solves,
                        "seconds": f"{found.seconds:.1f}",
                        "time / direct by SSNAL": f"{found.seconds / grid.seconds:.2f}",
                    }
                )
    finally:
        show(console, title, cells)


def _answer(found: Attack, grid: Attack) -> Cells:
    """Return eps, delta and its share of direct search's; dashes if no attack was found."""
    if found.norm == 0:
        return dict.fromkeys(("eps", "delta", "share of direct's"), "-")
    share = f"{found.deviation / grid.deviation:.2%}" if grid.deviation else "-"
    delta = f"{found.deviation:g}"
    return {"eps": f"{found.eps[0]:.4f}", "delta": delta, "share of direct's": share}
