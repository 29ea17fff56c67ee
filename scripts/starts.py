"""`bilad starts`: the reformulations from several starts, against direct search with SSNAL.

The comparison in time is with the paper's way: the grid -a : step : a, each point by SSNAL.
"""

from __future__ import annotations

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bilad.scripts.interrupts import noted_interrupts
from bilad.scripts.settings import Setting
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
    view = Table(
        box=SIMPLE_HEAD,
        title=f"BL1; direct search, step {setting.step:g}, by SSNAL: delta {grid.deviation:g}, "
        f"{grid.lower_solves} solves, {grid.seconds:.1f} s",
    )
    for title in (
        "method", "start", "eps", "delta", "share of direct's", "lower solves", "seconds",
        "time / direct by SSNAL",
    ):  # fmt: skip
        view.add_column(title, justify="left" if title == "method" else "right")
    runs = [(method, setting.budget * start) for method in METHODS for start in STARTS]
    try:
        with noted_interrupts() as interrupts:
            for method, start in track(runs, "starts", console=console, transient=True):
                found = attack(
                    problem, method, bound="none", closing="none", start=np.array([start])
                )
                interrupts.check()
                view.add_row(
                    method,
                    f"{start:g}",
                    *_answer(found, grid),
                    str(found.lower_solves),
                    f"{found.seconds:.1f}",
                    f"{found.seconds / grid.seconds:.2f}",
                )
    finally:
        console.print(view)


def _answer(found: Attack, grid: Attack) -> list[str]:
    """Return eps, delta and its share of direct search's; dashes if no attack was found."""
    if found.norm == 0:
        return ["-", "-", "-"]
    share = f"{found.deviation / grid.deviation:.2%}" if grid.deviation else "-"
    return [f"{found.eps[0]:.4f}", f"{found.deviation:g}", share]
