"""What a part of the reproduction says: text, tables, pictures, and the paper's claims judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from bilad.scripts.tables import shown

Verdict = Literal["agrees", "differs", "cannot be compared"]


def agrees_if(holds: bool) -> Verdict:
    """Return "agrees" if the claim holds in what was measured, else "differs"."""
    return "agrees" if holds else "differs"


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Table:
    """A table."""

    title: str
    # one for each row, all with the same keys, which are the headings
    cells: Sequence[Mapping[str, Any]]
    caption: str = ""  # what a reader has to know to read it

    @property
    def headings(self) -> list[str]:
        """The names of the columns."""
        return list(self.cells[0]) if self.cells else []

    def texts(self) -> list[list[str]]:
        """Return each row's cells as they are shown."""
        return [[shown(value) for value in row.values()] for row in self.cells]

    def kinds(self) -> list[str]:
        """Return for each column "number" or "words": how it is aligned."""
        columns = zip(*self.texts(), strict=True)
        return ["number" if all(map(_is_number, column)) else "words" for column in columns]


@dataclass(frozen=True)
class Picture:
    """A picture, in the part's folder as PNG and as SVG."""

    name: str  # of the files, without suffix
    caption: str


@dataclass(frozen=True)
class Claim:
    """A claim of the paper beside what was measured."""

    where: str  # section, theorem, figure or table of the paper
    claim: str  # in the paper's sense, in our words
    measured: str
    verdict: Verdict  # "agrees", "differs" or "cannot be compared"


def _is_number(text: str) -> bool:
    """Whether a cell reads as a number, as "3", "1e-9", "95.4%", or is blank."""
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
    """What a part says, in order; its claims come last."""

    blocks: Sequence[Block]
    claims: Sequence[Claim] = ()

    @property
    def as_json(self) -> dict[str, Any]:
        """Plain values, for a file; cells as they are shown, for JSON has no NaN."""
        return {
            "blocks": [{"kind": type(block).__name__, **_plain(block)} for block in self.blocks],
            "claims": [asdict(claim) for claim in self.claims],
        }

    @classmethod
    def of_json(cls, given: Mapping[str, Any]) -> Section:
        """Read what `as_json` wrote."""
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
