"""A command as a process of its own in a folder of small inputs, and whether it ended well."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from bilad.scripts.experiments.run import Row
from bilad.scripts.experiments.store import open_existing

LONGEST = 300.0  # seconds after which a command is said to hang
# The exit codes of the documentation; a negative number is the signal that ended the process.
CODES = (0, 1, 2, 130, 143, -signal.SIGINT, -signal.SIGTERM)
STORE = "rows.sqlite"
POINTS = "x,y\n0,0\n0.2,0.1\n0.1,0.3\n3,3\n3.2,3.1\n3.1,2.8\n1.4,1.5\n"
MODELS = """import pyomo.environ as pyo
from bilad.formulations import Follower


def problems():
    m = pyo.ConcreteModel()
    m.x = pyo.Var(bounds=(0, 4))
    m.lower = Follower()
    m.lower.y = pyo.Var(bounds=(0, 2))
    m.lower.cost = pyo.Objective(expr=(m.lower.y - m.x) ** 2)
    m.cost = pyo.Objective(expr=(m.x - 3) ** 2 + (m.lower.y - 1) ** 2)
    return m
"""
RUNS = """seeds = 4
limits = {solves = 20, seconds = 5.0, kill = 6.0}
data.points = {source = "points.csv"}
models.cc = {kind = "convex clustering", gamma = 0.4, neighbours = 3}
perturbations.one = {kind = "additive", points = [6]}
methods = ["corners", "random"]
problems = [{data = "points", models = "cc", perturbations = "one", budgets = [1.0]}]
"""
INPUTS = {"points.csv": POINTS, "models.py": MODELS, "runs.toml": RUNS}
MODEL = "points.csv --gamma 0.4 --neighbours 3"
MOVED = "--points 6 --budget 1 --solves 20"
COMMANDS = {
    "cluster": f"{MODEL} --out out",
    "path": "points.csv --neighbours 3 --gammas 0.1,1 --out out",
    "attack": f"{MODEL} {MOVED} --out out",
    "certify": f"{MODEL} --points 6 --budget 1 --seconds 1 --out out",
    "verify": f"{MODEL} --out out",
    "compare": f"{MODEL} {MOVED} --methods corners,kkt --seconds 5 --out out",
    "bilevel": "models.py --out out",
    "sweep": f"runs.toml --jobs 2 --store {STORE}",
    "report": "finished.sqlite --out out",
    "reproduce": "theorems --quick --out out",
    "methods": "kkt",
    "doctor": "",
}


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code, and what it printed."""

    code: int
    out: str
    err: str

    def problems(self) -> list[str]:
        """Return what is wrong with the end: nothing, if there is a status or one clear line."""
        is_said = any(line.startswith("error ") for line in self.err.splitlines())
        found = {
            "hangs": self.code == -signal.SIGKILL,
            f"exit code {self.code}": self.code not in CODES,
            "traceback": "Traceback (most recent call last)" in self.err,
            "no line that says what is wrong": self.code in (1, 2) and not is_said,
        }
        return [what for what, is_wrong in found.items() if is_wrong]


def start(
    arguments: Sequence[str],
    folder: Path,
    limits: Mapping[int, int] | None = None,
    path: str | None = None,
    stdout: Any = subprocess.PIPE,
    prefix: Sequence[str] = (),
) -> subprocess.Popen[str]:
    """Start a command; `limits` are those of the system, and `path` replaces PATH.

    The program of `prefix` is started, which then becomes the command.
    """

    def prepare() -> None:  # a shell may have started us with Ctrl-C ignored
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number, most in (limits or {}).items():
            resource.setrlimit(number, (most, most))

    return subprocess.Popen(
        [*prefix, sys.executable, "-m", "bilad", *arguments],
        cwd=folder,
        env=os.environ | ({} if path is None else {"PATH": path}),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        preexec_fn=prepare,
        start_new_session=True,
    )


def end(process: subprocess.Popen[str]) -> Ended:
    """Wait for the end of a command; if it hangs, kill it with all that it has started."""
    try:
        out, err = process.communicate(timeout=LONGEST)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
    return Ended(process.returncode, out or "", err)


def arguments_of(command: str) -> list[str]:
    """Return a command with its arguments."""
    return [command, *COMMANDS[command].split()]


def undisturbed(command: str, folder: Path) -> float:
    """Carry out a command, which has to succeed, and return its seconds."""
    began = time.monotonic()
    ended = end(start(arguments_of(command), folder))
    if ended.code:
        raise RuntimeError(f"bilad {command} fails without a fault: {ended.err}")
    return time.monotonic() - began


def half_written(folder: Path) -> list[str]:
    """Return the files below a folder that are temporary, empty, or not whole."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [f"half-written: {path.name}" for path in files if not _is_whole(path)]


def _is_whole(path: Path) -> bool:
    text = path.read_text(encoding="utf-8", errors="replace")
    try:
        if path.suffix == ".json":
            json.loads(text)
        elif path.suffix == ".svg":
            ElementTree.fromstring(text)
    except (ValueError, ElementTree.ParseError):
        return False
    end = {".html": "</html>", ".csv": "\n", ".tex": "\n"}.get(path.suffix, "")
    return text.endswith(end) and not path.name.startswith(".")


def stored(path: Path) -> dict[str, Row]:
    """Return the rows of a store by key; none if nothing could be written."""
    if not path.is_file() or not path.stat().st_size:
        return {}
    with open_existing(path) as store:
        return {row.key: row for row in store.rows()}


def reported(ended: Ended) -> int:
    """Return how many finished runs a sweep has reported."""
    return max((int(done) for done in re.findall(r"^\w+ (\d+)/\d+: ", ended.err, re.M)), default=0)
