"""Bilevel models for adversarial learning: attacks on learning models, with proofs.

The public names of `bilad.models`, `bilad.formulations` and `bilad.solvers`, and
`run_experiment`, are attributes of this package. They are imported when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bilad.formulations import *  # noqa: F403
    from bilad.models import *  # noqa: F403
    from bilad.scripts.experiments.runner import run_experiment as run_experiment
    from bilad.solvers import *  # noqa: F403

FOLDERS = ("models", "formulations", "solvers", "scripts")
PUBLIC = FOLDERS[:3]  # in the order in which a name is searched: the fastest import first
EXPERIMENTS = "bilad.scripts.experiments.runner"


def __getattr__(name: str) -> Any:
    """Return a public name; Python calls this if it is not yet an attribute of the package."""
    if name == "__version__":
        from importlib.metadata import version

        found: Any = version("bilad")
    elif name == "run_experiment":
        found = getattr(import_module(EXPERIMENTS), name)
    elif name == "__all__":
        found = [one for one in __dir__() if not one.startswith("_")]
    elif name in FOLDERS:
        found = import_module(f"bilad.{name}")
    elif name.startswith("_"):
        raise AttributeError(f"module 'bilad' has no attribute {name!r}")
    else:
        found = _public(name)
    globals()[name] = found
    return found


def _public(name: str) -> Any:
    for part in PUBLIC:
        module = import_module(f"bilad.{part}")
        if name in module.__all__:
            return getattr(module, name)
    raise AttributeError(f"module 'bilad' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return all public names, for completion."""
    modules = [import_module(f"bilad.{part}") for part in PUBLIC]
    public = [name for module in modules for name in module.__all__]
    return sorted({"__version__", "run_experiment", *FOLDERS, *public})
