"""A self-contained HTML page of chapters, with its tables and pictures as files.

Everything that comes from names of the user's files is escaped: in the page by Jinja, in LaTeX by
pandas.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd
from jinja2 import Environment, PackageLoader, select_autoescape
from matplotlib.figure import Figure

from bilad.scripts.display import csv, is_number, shown
from bilad.scripts.files import save_figure, write_text

PAGE = "report.html"
FORMATS = ("svg", "pdf")
LATEX = {  # what has a meaning in LaTeX, or is another character in some fonts
    "||eps||": r"$\|\varepsilon\|$", "<=": r"$\leq$", ">=": r"$\geq$", "||": r"$\|$",
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
}  # fmt: skip
SPECIAL = re.compile("|".join(map(re.escape, LATEX)))


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Table:
    """A table: a DataFrame, or one mapping for each row, all with the same keys."""

    name: str  # of its files, without suffix
    title: str
    rows: pd.DataFrame | Sequence[Mapping[str, Any]]
    caption: str = ""

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The table; numbers keep their types, also beside texts."""
        return pd.DataFrame(self.rows)

    @property
    def headings(self) -> list[str]:
        """The names of the columns."""
        return list(map(str, self.frame))

    def csv(self) -> str:
        """Return the table as CSV."""
        return csv(self.frame)

    def latex(self) -> str:
        """Return the table as LaTeX, with rules of the package booktabs."""
        columns = ["r" if kind == "number" else "l" for kind in self.kinds()]
        escaped = self.frame.rename(columns=lambda name: _escaped(str(name)))
        escaped = escaped.map(lambda cell: _escaped(cell) if isinstance(cell, str) else cell)
        made = escaped.to_latex(
            index=False,
            escape=False,
            float_format="%.4g",
            na_rep="",
            column_format="".join(columns),
            caption=_escaped(self.title) or None,
            label=f"tab:{self.name}" if self.title else None,
            position="ht" if self.title else None,
        )
        return str(made)

    def write(self, folder: Path) -> None:
        """Write the table as CSV and as LaTeX."""
        write_text(folder / f"{self.name}.csv", self.csv())
        write_text(folder / f"{self.name}.tex", self.latex())

    def texts(self) -> list[list[tuple[str, str]]]:
        """Return the text of each cell, and what it is sorted by."""
        rows = self.frame.itertuples(index=False)
        return [[(shown(value), _key(value)) for value in row] for row in rows]

    def kinds(self) -> list[str]:
        """Return "number" or "words" for each column, which determines its alignment."""
        columns = zip(*self.texts(), strict=True)
        are_numbers = (all(is_number(key) for _, key in column) for column in columns)
        return ["number" if are else "words" for are in are_numbers]


def _escaped(text: str) -> str:
    """Return a text as LaTeX shows it, in every encoding of fonts."""
    return SPECIAL.sub(lambda found: LATEX[found[0]], text)


def _key(value: object) -> str:
    """Return the number of a cell, or its text."""
    text = str(value).rstrip("%")
    return repr(float(text)) if text not in ("", "-") and is_number(text) else str(value)


@dataclass(frozen=True)
class Picture:
    """A picture that was written in all formats."""

    path: Path  # without suffix
    caption: str

    @property
    def files(self) -> str:
        """The names of its files."""
        return ", ".join(f"{self.path.name}.{suffix}" for suffix in FORMATS)

    @property
    def source(self) -> str:
        """The picture as an address that contains it."""
        data = Path(f"{self.path}.svg").read_bytes()
        return f"data:image/svg+xml;base64,{base64.b64encode(data).decode()}"


def write_picture(
    path: Path, caption: str, draw: Callable[[Figure], object], size: tuple[float, float]
) -> Picture:
    """Draw a picture of the given size in inches, and write it in all formats.

    Parameters
    ----------
    path : Path
        Without suffix.
    caption : str
    draw : callable(figure)
    size : tuple of float
    """
    with matplotlib.rc_context({"font.size": 9, "axes.grid": True, "grid.alpha": 0.3}):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure)
        for suffix in FORMATS:
            save_figure(figure, Path(f"{path}.{suffix}"))
    return Picture(path, caption)


Block = Text | Table | Picture


@dataclass(frozen=True)
class Chapter:
    """A part of the page."""

    title: str
    blocks: Sequence[Block]


def write_page(folder: Path, title: str, introduction: str, chapters: Sequence[Chapter]) -> Path:
    """Write `report.html`, and return its path; tables and pictures must be written before."""
    environment = Environment(
        loader=PackageLoader("bilad.scripts.experiments", ""),
        autoescape=select_autoescape(default=True),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("report.html.j2").render(
        title=title, introduction=introduction, chapters=chapters
    )
    write_text(folder / PAGE, page)
    return folder / PAGE
