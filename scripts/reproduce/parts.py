"""The parts of the reproduction, in the order in which they are run and shown."""

from __future__ import annotations

from bilad.scripts.reproduce import (
    deviations,
    examples,
    figures,
    next_checks,
    open_questions,
    table1,
    theorems,
)
from bilad.scripts.reproduce.bench import Part

IN_ORDER = (
    theorems.PART,
    examples.PART,
    deviations.PART,
    *figures.PARTS,
    table1.PART,
    next_checks.PART,
    open_questions.PART,
)
PARTS: dict[str, Part] = {part.name: part for part in IN_ORDER}
