"""Settings and outcome of one run of the comparison of methods, as plain values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from bilad.scripts.attack_runs import REFUSED, shown_value
from bilad.scripts.methods.instances import Instance

REFERENCE = "ray optimum"  # not a method: what the best eps of a ray is, by a fine grid


@dataclass(frozen=True)
class RunSettings:
    """All that a run depends on."""

    instance: Instance
    method: str  # a key of `METHODS`, or "ray optimum"
    seed: int  # of the method's random numbers
    solves: int | None  # Lower-level solves that it has, the one at eps = 0 not counted
    seconds: float | None  # that it has
    # of the method, beside those of its variant
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The settings as JSON."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def of_text(cls, text: str) -> RunSettings:
        """Read the settings from JSON."""
        given = json.loads(text)
        return cls(**{**given, "instance": Instance(**given["instance"])})


@dataclass(frozen=True)
class MethodRow:
    """What a run came to."""

    settings: str  # as JSON
    # instance, method, seed: of these, for the reader
    instance: str
    method: str
    seed: int
    n: int  # points
    status: str  # `outcome` of the last attack; "refused: ..", "too large: .." or "error: .."
    # deviation (BL1) or ||eps|| (BL2); 0 or infinity without an attack whose labels are proved
    value: float
    bound: float  # the best proved one, or NaN
    # solves, undecided, starts: Lower-level solves, those with labels not proved, attacks
    solves: int
    undecided: int
    starts: int
    # seconds, seconds_solving: in all, and in the lower level
    seconds: float
    seconds_solving: float
    improvements: str  # when which value was first found: "solves:seconds:value .."

    @property
    def line(self) -> str:
        """The row in one line."""
        return (
            f"{self.instance} | {self.method} #{self.seed}: {shown_value(self.value)}, "
            f"{self.solves} solves, {self.seconds:.2f} s, {self.status}"
        )

    @property
    def taken(self) -> bool:
        """Whether the method takes the problem."""
        return not self.status.startswith(REFUSED)

    def moments(self) -> list[tuple[int, float, float]]:
        """Return (solves, seconds, value) of each improvement."""
        parts = [part.split(":") for part in self.improvements.split()]
        return [(int(solves), float(seconds), float(value)) for solves, seconds, value in parts]
