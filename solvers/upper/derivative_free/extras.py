"""The optional packages: present, or refused with the command that installs them."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

from bilad.models.problem import BilevelProblem


def needs(module: str, package: str) -> Callable[[BilevelProblem], str | None]:
    """Return the refusal of a method that needs a package: why it cannot run, or None."""

    def refusal(problem: BilevelProblem) -> str | None:
        if find_spec(module) is not None:
            return None
        return f"{package} is not installed: pip install 'bilad[derivative-free]'"

    return refusal
