"""The parts of the reproduction, in the order in which they are run and shown."""

from __future__ import annotations

from bilad.scripts.reproduce.bench import Part
from bilad.scripts.reproduce.checks import next_checks
from bilad.scripts.reproduce.figures import figures
from bilad.scripts.reproduce.questions import open_questions
from bilad.scripts.reproduce.table1 import table1
from bilad.scripts.reproduce.theory import deviations, examples, theorems

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
