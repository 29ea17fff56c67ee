"""The specifications of this package, by name."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from bilad.models.validation import ArgumentError, did_you_mean

STUDIES = Path(str(files("bilad.scripts"))) / "studies"


def study(name: str) -> Path:
    """Return the path of a specification: a file, or a study of this package by its name.

    Raises
    ------
    ArgumentError
        If there is neither.
    """
    if Path(name).is_file():
        return Path(name)
    known = {path.stem: path for path in sorted(STUDIES.glob("*.toml"))}
    if name not in known:
        expected = f"a file, or one of the studies {', '.join(known)}{did_you_mean(name, known)}"
        raise ArgumentError("specification", repr(name), expected)
    return known[name]
