"""What is kept of a part that was run: its section, and all that it was made with."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import Any

from bilad.scripts.reproduce.section import Section
from bilad.scripts.run_log import write_text
from bilad.scripts.settings import readable_settings

FILE = "part.json"
FLOORS = ("models", "formulations", "solvers", "scripts")
PACKAGES = (
    "bilad", "numpy", "scipy", "scikit-learn", "numba", "pyomo", "casadi", "highspy", "cvxpy",
    "clarabel", "cma", "matplotlib",
)  # fmt: skip


@dataclass(frozen=True)
class Surroundings:
    """What results can depend on beside the settings: machine, code, and data that are here."""

    python: str
    system: str
    cores: int
    datasets: Sequence[str]  # that can be read
    versions: Mapping[str, str]
    code: str  # of `bilad` itself, by which two states of it are told apart: the start of a SHA-256


@cache
def surroundings() -> Surroundings:
    """Return those of this process."""
    return Surroundings(
        platform.python_version(),
        f"{platform.system()} {platform.machine()}",
        os.cpu_count() or 1,
        list(readable_settings()),
        {name: _version(name) for name in PACKAGES},
        _digest(),
    )


def _digest() -> str:
    """Return what changes if a line of the package does."""
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


@dataclass(frozen=True)
class Record:
    """A part that was run."""

    part: str
    title: str
    sizes: Mapping[str, Any]  # how many, how large, how long
    quick: bool  # whether they are those of `--quick`
    seed: int
    surroundings: Surroundings
    began: str  # UTC, ISO 8601
    seconds: float  # wall clock
    section: Section

    @property
    def command(self) -> str:
        """What runs the part again."""
        return f"bilad reproduce {self.part}{' --quick' if self.quick else ''} --seed {self.seed}"

    def is_made_with(self, sizes: Mapping[str, Any], seed: int) -> bool:
        """Whether running the part again, here, would do the same work."""
        asked = json.dumps([sizes, seed, asdict(surroundings())], sort_keys=True)
        own = [self.sizes, self.seed, asdict(self.surroundings)]
        return json.dumps(own, sort_keys=True) == asked

    def write(self, folder: Path) -> None:
        """Put it in the part's folder, whole or not at all."""
        values = {
            "part": self.part,
            "title": self.title,
            "sizes": self.sizes,
            "quick": self.quick,
            "seed": self.seed,
            "surroundings": asdict(self.surroundings),
            "began": self.began,
            "seconds": self.seconds,
            "section": self.section.as_json,
        }
        write_text(folder / FILE, json.dumps(values, indent=1) + "\n")


def read_record(folder: Path) -> Record | None:
    """Return the record of a part's folder; None if there is none that can be read."""
    try:
        given = json.loads((folder / FILE).read_text())
        made = Surroundings(**given.pop("surroundings"))
        section = Section.of_json(given.pop("section"))
        return Record(**given, surroundings=made, section=section)
    except (OSError, ValueError, TypeError, KeyError):
        return None
