"""Errors of the solvers that the user can correct."""

from __future__ import annotations

from collections.abc import Iterable


class UnsupportedError(ValueError):
    """A method does not apply to a problem; the message names the reason and other methods.

    Attributes
    ----------
    reason : str
    """

    def __init__(self, method: str, reason: str, able: Iterable[str]) -> None:
        self.reason = reason
        names = ", ".join(repr(name) for name in able) or "none yet"
        super().__init__(f"method {method!r} cannot take this problem: {reason}; able: {names}")
