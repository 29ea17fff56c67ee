"""A verdict from what was measured."""

from __future__ import annotations

from bilad.scripts.reproduce.section import Verdict


def agrees_if(holds: bool) -> Verdict:
    """Return "agrees" if the claim holds in what was measured, else "differs"."""
    return "agrees" if holds else "differs"
