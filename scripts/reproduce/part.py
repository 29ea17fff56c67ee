"""Transitional: the former form of a part. New parts use `section.py`; `converted` adapts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import matplotlib
from matplotlib.figure import Figure

from bilad.scripts.display import shown
from bilad.scripts.experiments import page
from bilad.scripts.reproduce import section
from bilad.scripts.run_store import collect, save_figure

Row = TypeVar("Row")
Verdict = Literal["agrees", "differs", "cannot be compared"]
# The colours of Okabe and Ito, which can be distinguished with every kind of colour vision.
BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "0.55"


def agrees_if(holds: bool) -> Verdict:
    """Return "agrees" if the claim holds in the measurements, otherwise "differs"."""
    return "agrees" if holds else "differs"


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Table:
    """A table."""

    title: str
    # one mapping for each row, all with the same keys, which are the headings
    cells: Sequence[Mapping[str, Any]]
    caption: str = ""

    @property
    def headings(self) -> list[str]:
        """The names of the columns."""
        return list(self.cells[0]) if self.cells else []

    def texts(self) -> list[list[str]]:
        """Return the texts of the cells of each row."""
        return [[shown(value) for value in row.values()] for row in self.cells]

    def kinds(self) -> list[str]:
        """Return "number" or "words" for each column, which determines its alignment."""
        columns = zip(*self.texts(), strict=True)
        return ["number" if all(map(_is_number, column)) else "words" for column in columns]


@dataclass(frozen=True)
class Picture:
    """A picture, which is stored in the folder of the part in all formats."""

    name: str  # of the files, without suffix
    caption: str


@dataclass(frozen=True)
class Claim:
    """A claim of the paper, and our measurement."""

    where: str  # section, theorem, figure or table of the paper
    claim: str  # the claim of the paper in our words
    measured: str
    verdict: Verdict


def _is_number(text: str) -> bool:
    """Return whether a cell is a number, such as "3", "1e-9" or "95.4%", or blank."""
    try:
        float(text.rstrip(" %") or 0)
    except ValueError:
        return False
    return True


Block = Text | Table | Picture
KINDS: dict[str, type[Text] | type[Table] | type[Picture]] = {
    kind.__name__: kind for kind in (Text, Table, Picture)
}


@dataclass(frozen=True)
class Section:
    """The report of a part: texts, tables and pictures in order, then the claims."""

    blocks: Sequence[Block]
    claims: Sequence[Claim] = ()

    @property
    def as_json(self) -> dict[str, Any]:
        """Plain values for a file; the cells of tables as text, because JSON has no NaN."""
        return {
            "blocks": [{"kind": type(block).__name__, **_plain(block)} for block in self.blocks],
            "claims": [asdict(claim) for claim in self.claims],
        }

    @classmethod
    def of_json(cls, given: Mapping[str, Any]) -> Section:
        """Return the section that `as_json` wrote."""
        blocks = []
        for block in given["blocks"]:
            values = dict(block)
            blocks.append(KINDS[values.pop("kind")](**values))
        return cls(blocks, [Claim(**claim) for claim in given["claims"]])


def _plain(block: Block) -> dict[str, Any]:
    if not isinstance(block, Table):
        return asdict(block)
    headings = block.headings
    cells = [dict(zip(headings, row, strict=True)) for row in block.texts()]
    return {"title": block.title, "cells": cells, "caption": block.caption}


class Bench:
    """The folder and the seed of a part, and the progress bar that it moves.

    Parameters
    ----------
    folder : Path
        The folder of the part.
    seed : int
    advance : callable(text, done, total)
        Called for each row; `total` is None if it is not known.
    """

    def __init__(
        self, folder: Path, seed: int, advance: Callable[[str, int, int | None], None]
    ) -> None:
        self.folder, self.seed, self._advance = folder, seed, advance
        folder.mkdir(parents=True, exist_ok=True)

    def collect(
        self, name: str, rows: Iterable[Row], row_type: type[Row], total: int | None = None
    ) -> list[Row]:
        """Write each row to `name`.csv as soon as it is computed, and return all rows.

        Parameters
        ----------
        name : str
        rows : iterable of row_type
        row_type : type
            A dataclass.
        total : int, optional
            The number of rows, if it is known.
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
        """Draw a picture of the given size in inches, and write it in all formats."""
        with matplotlib.rc_context({"font.size": 9, "axes.grid": True, "grid.alpha": 0.3}):
            figure = Figure(figsize=size, layout="constrained")
            draw(figure)
            for suffix in page.FORMATS:
                save_figure(figure, self.folder / f"{name}.{suffix}")
        return Picture(name, caption)


@dataclass(frozen=True)
class Part:
    """A part of the reproduction."""

    name: str  # on the command line
    title: str
    run: Callable[[Bench, Any], Section]  # run(bench, sizes)
    # the sizes of the experiments, and those for `--quick`
    full: Any
    quick: Any


def converted(old: Part) -> section.Part:
    """Return a part of the former form in the present one."""

    def run(bench: section.Bench) -> section.Section:
        given = Bench(bench.folder, bench.seed, bench.advance)
        found = old.run(given, old.quick if bench.quick else old.full)
        blocks: list[page.Block] = []
        for block in found.blocks:
            if isinstance(block, Table):
                blocks.append(
                    page.Table(f"table{len(blocks)}", block.title, block.cells, block.caption)
                )
            elif isinstance(block, Picture):
                blocks.append(page.Picture(bench.folder / block.name, block.caption))
            else:
                blocks.append(page.Text(block.text))
        claims = [section.Claim(**asdict(claim)) for claim in found.claims]
        return section.Section(blocks, claims)

    return section.Part(old.name, old.title, run)
