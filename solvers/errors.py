"""Errors of the solvers that a user can mend."""

from __future__ import annotations

from collections.abc import Iterable


class UnsupportedError(ValueError):
    """A method that cannot take a problem: why, and which methods can."""

    def __init__(self, method: str, reason: str, able: Iterable[str]) -> None:
        names = ", ".join(repr(name) for name in able) or "none yet"
        super().__init__(f"method {method!r} cannot take this problem: {reason}; able: {names}")
