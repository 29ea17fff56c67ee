"""What a check is: a draw of instances, and their examination."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Instance = dict[str, Any]  # lists, dictionaries, texts, numbers, Booleans and None


@dataclass
class Verdict:
    """The findings about an instance.

    Attributes
    ----------
    mismatches : list of str
        What cannot be true if all methods are correct.
    unknowns : list of str
        What could not be compared, because something is not proved or a limit was reached.
    """

    mismatches: list[str] = field(default_factory=list)
    unknowns: list[str] = field(default_factory=list)

    def expect(self, holds: object, otherwise: str) -> None:
        """Add a mismatch unless a condition holds."""
        if not holds:
            self.mismatches.append(otherwise)

    def hope(self, holds: object, otherwise: str) -> None:
        """Add an unknown unless a condition holds."""
        if not holds:
            self.unknowns.append(otherwise)


@dataclass(frozen=True)
class Check:
    """A kind of instances.

    Attributes
    ----------
    draw : callable(rng)
        Returns a random instance.
    examine : callable(instance)
        Returns the verdict on it.
    """

    draw: Callable[[np.random.Generator], Instance]
    examine: Callable[[Instance], Verdict]
