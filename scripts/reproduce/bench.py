"""What a part works with: its folder, its seed, a progress bar."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import matplotlib
from matplotlib.figure import Figure

from bilad.scripts.reproduce.section import Picture, Section
from bilad.scripts.run_log import collect, save_figure

Row = TypeVar("Row")


class Bench:
    """Where a part puts its rows and pictures, and whom it tells how far it is.

    Parameters
    ----------
    folder : Path
        The part's own.
    seed : int
    advance : callable(text, done, total)
        Told of each row; total is None if it is not known.
    """

    def __init__(
        self, folder: Path, seed: int, advance: Callable[[str, int, int | None], None]
    ) -> None:
        self.folder, self.seed, self._advance = folder, seed, advance
        folder.mkdir(parents=True, exist_ok=True)

    def collect(
        self, name: str, rows: Iterable[Row], row_type: type[Row], total: int | None = None
    ) -> list[Row]:
        """Write each row to `name`.csv as it comes, move the bar, and return all.

        Parameters
        ----------
        name : str
        rows : iterable of row_type
        row_type : type
            A dataclass.
        total : int, optional
            Rows that are to come.
        """

        def tell(row: Row, count: int) -> None:
            self._advance(name, count, total)

        self._advance(name, 0, total)
        return collect(self.folder / f"{name}.csv", rows, row_type, tell=tell)

    def picture(
        self,
        name: str,
        caption: str,
        draw: Callable[[Figure], None],
        size: tuple[float, float] = (8.0, 4.0),
    ) -> Picture:
        """Draw a picture and write it as `name`.png and `name`.svg.

        Parameters
        ----------
        name, caption : str
        draw : callable(Figure)
        size : tuple of float, default (8, 4)
            Inches.
        """
        with matplotlib.rc_context({"font.size": 9, "axes.grid": True, "grid.alpha": 0.3}):
            figure = Figure(figsize=size, layout="constrained")
            draw(figure)
            for suffix in ("png", "svg"):
                save_figure(figure, self.folder / f"{name}.{suffix}")
        return Picture(name, caption)


@dataclass(frozen=True)
class Part:
    """A part of the reproduction."""

    name: str  # as given on the command line
    title: str
    run: Callable[[Bench, Any], Section]  # (Bench, sizes): returns what it says
    # full, quick: its sizes: how many, how large, how long; those of `--quick`
    full: Any
    quick: Any
