"""An `ipopt` executable, driven by AMPL's protocol: a .nl file in, a .sol file out.

Signs as in IPOPT's AmplTNLP: `dual`, `ipopt_zL_out` and `ipopt_zU_out` are derivatives of the
objective in the model's own sense, for minimise and maximise alike.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bilad.solvers.nlp.engine import Answer, Query
from bilad.solvers.nlp.errors import EngineError, OptionError
from bilad.solvers.nlp.nl_model import NlModel
from bilad.solvers.nlp.sol_file import SolFile, read_sol
from bilad.solvers.nlp.status import NlpStatus, from_exit_line

NAME = "IPOPT executable"

VERSION_SECONDS = 10.0  # an `ipopt` that needs longer to tell its version does not start
GRACE_SECONDS = 5.0  # IPOPT looks at its clock once an iteration; past this it is ended
TAIL = 600  # characters of output shown in an error


@dataclass(frozen=True)
class ExecutableEngine:
    """An `ipopt` on this machine."""

    path: str
    version: str
    name: str = NAME

    @classmethod
    def find(cls, path: str) -> ExecutableEngine:
        """Make sure that the executable starts.

        Raises
        ------
        EngineError
            It does not.
        """
        return cls(path, _ipopt_version(path))

    def open(self, model: NlModel, options: Mapping[str, Any]) -> ExecutableProgram:
        """Split the .nl text once, so that a solve only writes start and bounds anew."""
        return ExecutableProgram(self, model, options)


class ExecutableProgram:
    """The fixed parts of a .nl file, between which a solve writes its start and its bounds."""

    def __init__(
        self, engine: ExecutableEngine, model: NlModel, options: Mapping[str, Any]
    ) -> None:
        self._engine = engine
        self._options = dict(options)
        self._n, self._m = len(model.variables), len(model.constraints)
        self._parts = _split(model.text, self._n)

    def solve(self, query: Query) -> Answer:
        """Run IPOPT once, in a process of its own.

        Raises
        ------
        OptionError
            IPOPT refuses an option.
        EngineError
            The executable ended without saying how the solve ended.
        """
        with tempfile.TemporaryDirectory() as folder:
            stub = Path(folder, "model.nl")
            before, between, after = self._parts
            stub.write_text(
                before + _start(query) + between + _bounds(query) + after, encoding="utf-8"
            )
            Path(folder, "ipopt.opt").write_text(self._option_file(query.time_limit))
            try:
                output, code = self._run(folder, query.time_limit)
            except subprocess.TimeoutExpired:
                return Answer(NlpStatus.TIME_LIMIT, f"ended {GRACE_SECONDS:g} s past the limit")
            if "print_level" in self._options:
                print(output)
            with contextlib.suppress(FileNotFoundError):
                sol = read_sol(stub.with_suffix(".sol").read_text(), self._n)
                return self._answer(output, sol)
        return self._answer_without_point(output, code)

    def _option_file(self, time_limit: float | None) -> str:
        # Level 3 prints the exit and the iterations, and little else.
        options = {"print_level": 3, "sb": "yes", **self._options}
        if time_limit is not None:
            numbers = tuple(map(int, re.findall(r"\d+", self._engine.version)[:2]))
            clock = "max_wall_time" if numbers >= (3, 14) else "max_cpu_time"
            options[clock] = min(time_limit, options.get(clock, time_limit))
        return "".join(f"{name} {_quoted(value)}\n" for name, value in options.items())

    def _run(self, folder: str, time_limit: float | None) -> tuple[str, int]:
        options = f"option_file_name={Path(folder, 'ipopt.opt')}"
        command = [self._engine.path, str(Path(folder, "model.nl")), "-AMPL", options]
        # Options from the environment would be mixed with ours unseen.
        environment = {k: v for k, v in os.environ.items() if k != "ipopt_options"}
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                env=environment,
                timeout=None if time_limit is None else time_limit + GRACE_SECONDS,
                check=False,
            )
        except OSError as error:
            raise EngineError(NAME, f"{self._engine.path} cannot be started ({error})") from error
        return done.stdout, done.returncode

    def _answer(self, output: str, sol: SolFile) -> Answer:
        words = _exit_words(output) or sol.message.partition(": ")[2]
        status = from_exit_line(words)
        whole = sol.x.size == self._n and sol.duals.size == self._m
        if not (status.has_point and whole):
            return Answer(status, words)
        none = np.zeros(self._n)
        # At most one of the two is away from zero: the one of the active bound.
        sides = [sol.suffixes.get(f"ipopt_z{side}_out", none) for side in "LU"]
        return Answer(status, words, _iterations(output), sol.x, sol.duals, sides[0] + sides[1])

    def _answer_without_point(self, output: str, code: int) -> Answer:
        refused = re.search(r'^.*\bOption:? "?(\w+).*$', output, re.MULTILINE)
        if refused and "OPTION_INVALID" in output:
            name = refused.group(1)
            raise OptionError(name, self._options.get(name), refused.group(0).strip())
        words = _exit_words(output)
        if words is None:
            tail = output.strip()[-TAIL:] or "it printed nothing"
            raise EngineError(NAME, f"{self._engine.path} ended with code {code} ({tail})")
        return Answer(from_exit_line(words), words)


def _split(text: str, n: int) -> tuple[str, str, str]:
    """Take the segments x (start) and b (bounds) out of a .nl text: before, between, after."""
    lines = text.splitlines(keepends=True)
    b = next(i for i, line in enumerate(lines) if line[0] == "b")
    starts = [i for i, line in enumerate(lines[:b]) if line[0] == "x"]
    if not starts:
        r = next((i for i, line in enumerate(lines[:b]) if line[0] == "r"), b)
        return "".join(lines[:r]), "".join(lines[r:b]), "".join(lines[b + 1 + n :])
    x = starts[0]
    end = x + 1 + int(lines[x][1:].split()[0])
    return "".join(lines[:x]), "".join(lines[end:b]), "".join(lines[b + 1 + n :])


def _start(query: Query) -> str:
    rows = (f"{j} {value!r}\n" for j, value in enumerate(query.start.tolist()))
    return f"x{query.start.size}\n" + "".join(rows)


def _bounds(query: Query) -> str:
    pairs = zip(query.lower.tolist(), query.upper.tolist(), strict=True)
    return "b\n" + "".join(_bound(low, up) for low, up in pairs)


def _bound(low: float, up: float) -> str:
    """One line of segment b: 0 both, 1 upper only, 2 lower only, 3 none, 4 equal."""
    if low == up:
        return f"4 {low!r}\n"
    if low == -np.inf:
        return "3\n" if up == np.inf else f"1 {up!r}\n"
    return f"2 {low!r}\n" if up == np.inf else f"0 {low!r} {up!r}\n"


def _quoted(value: Any) -> str:
    text = str(value)
    return f'"{text}"' if re.search(r"\s", text) or not text else text


def _exit_words(output: str) -> str | None:
    found = re.findall(r"^EXIT: (.*)$", output, re.MULTILINE)
    return found[-1].strip() if found else None


def _iterations(output: str) -> int | None:
    found = re.findall(r"^Number of Iterations\.*: (\d+)", output, re.MULTILINE)
    return int(found[-1]) if found else None


@functools.cache
def _ipopt_version(path: str) -> str:
    try:
        done = subprocess.run(
            [path, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=VERSION_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineError(NAME, f"{path} cannot be started ({error})") from error
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip()[-TAIL:] or "it printed nothing"
        cause = f"`{path} --version` ended with code {done.returncode} ({said})"
        raise EngineError(NAME, cause)
    found = re.search(r"Ipopt (\d[\w.]*\w)", done.stdout)
    if found is None:
        raise EngineError(NAME, f"{path} is not IPOPT: it calls itself {done.stdout.strip()!r}")
    return found.group(1)
