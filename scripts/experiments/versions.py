"""The software that results can depend on."""

from __future__ import annotations

import hashlib
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path

FLOORS = ("models", "formulations", "solvers", "scripts")
PACKAGES = (
    "bilad", "numpy", "scipy", "scikit-learn", "numba", "pyomo", "casadi", "highspy", "cvxpy",
    "clarabel", "cma", "matplotlib",
)  # fmt: skip


@cache
def versions() -> dict[str, str]:
    """Return the versions of Python and of packages, and the hash of this package's files."""
    return {
        "python": platform.python_version(),
        **{name: _version(name) for name in PACKAGES},
        "code": _digest(),
    }


def _digest() -> str:
    """Return the first digits of the SHA-256 hash of the source files of the package."""
    code = hashlib.sha256()
    for floor in FLOORS:
        root = Path(str(files(f"bilad.{floor}")))
        for path in sorted(root.rglob("*.py")):
            code.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return code.hexdigest()[:12]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
