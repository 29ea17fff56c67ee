"""Refusals of followers."""
from __future__ import annotations
from typing import Any
def refuse_follower(program: Any, starts: Any) -> None:
    pass
