"""A part of the reproduction, and the section of the report that it returns.

    def run(bench):
        rows = [measure(one) for one in bench.track("squares", problems)]
        picture = bench.picture("dots", "Caption.", draw)
        table = Table("squares", "Squares", pd.DataFrame(rows), "Caption.")
        return Section([Text("Introduction."), table, picture], claims)

    PART = Part("squares", "Title", run)

Tables and pictures are written to the folder of the part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import pandas as pd
from matplotlib.figure import Figure

from bilad.scripts.experiments.page import Block, Picture, write_picture
from bilad.scripts.files import write_text

Item = TypeVar("Item")
Verdict = Literal["agrees", "differs", "cannot be compared"]
# The colours of Okabe and Ito, which can be distinguished with every kind of colour vision.
BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "0.55"


def agrees_if(holds: bool) -> Verdict:
    """Return "agrees" if the claim holds in the measurements, otherwise "differs"."""
    return "agrees" if holds else "differs"


@dataclass(frozen=True)
class Claim:
    """A claim of the paper, and our measurement."""

    where: str  # section, theorem, figure or table of the paper
    claim: str  # the claim of the paper in our words
    measured: str
    verdict: Verdict


@dataclass(frozen=True)
class Section:
    """The report of a part: texts, tables and pictures in order, and the claims."""

    blocks: Sequence[Block]
    claims: Sequence[Claim] = ()


@dataclass(frozen=True)
class Bench:
    """What a part is given.

    Attributes
    ----------
    folder : Path
        The folder of the part, which exists.
    seed : int
    quick : bool
        Whether small sizes are wanted.
    advance : callable(text, done, total)
        Moves the progress bar, and ends the part after Ctrl-C; `total` is None if it is not known.
    """

    folder: Path
    seed: int
    quick: bool
    advance: Callable[[str, int, int | None], None]

    def track(self, text: str, items: Iterable[Item]) -> Iterator[Item]:
        """Yield items, and move the progress bar with each."""
        total = len(items) if isinstance(items, Sized) else None
        self.advance(text, 0, total)
        for done, item in enumerate(items, 1):
            yield item
            self.advance(text, done, total)

    def picture(
        self,
        name: str,
        caption: str,
        draw: Callable[[Figure], object],
        size: tuple[float, float] = (8.0, 4.0),
        data: pd.DataFrame | None = None,
    ) -> Picture:
        """Draw a picture of the given size in inches, and write it and its data to the folder."""
        if data is not None:
            write_text(self.folder / f"{name}.csv", data.to_csv(index=False))
        return write_picture(self.folder / name, caption, draw, size)


@dataclass(frozen=True)
class Part:
    """A part of the reproduction."""

    name: str  # on the command line
    title: str
    run: Callable[[Bench], Section]
