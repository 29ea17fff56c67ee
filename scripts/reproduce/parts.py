"""The parts of the reproduction, in the order in which they are run and shown."""

from __future__ import annotations

from bilad.scripts.reproduce import deviations, examples, figures, theorems
from bilad.scripts.reproduce.bench import Part

PARTS: dict[str, Part] = {
    part.name: part for part in (theorems.PART, examples.PART, deviations.PART, *figures.PARTS)
}
