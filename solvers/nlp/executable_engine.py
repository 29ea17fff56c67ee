"""An `ipopt` executable, driven by AMPL's protocol: a .nl file in, a .sol file out.

Signs as in IPOPT's AmplTNLP: `dual`, `ipopt_zL_out` and `ipopt_zU_out` are derivatives of the
objective in the model's own sense, for minimise and maximise alike.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import signal
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
from bilad.solvers.nlp.sol_file import read_sol
from bilad.solvers.nlp.status import NlpStatus, from_exit_line

NAME = "IPOPT executable"

VERSION_SECONDS = 10.0  # an `ipopt` that needs longer to tell its version does not start
# IPOPT looks at its clock once an iteration; past this share and these seconds it is ended.
GRACE, GRACE_SECONDS = 0.1, 0.5
MOST_OUTPUT = 1_000_000  # bytes that are read, from the end
SHOWN = 300  # characters of its output that a message shows


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
        """Keep the .nl text, so that a solve only writes start and bounds anew."""
        return ExecutableProgram(self, model, options)


class ExecutableProgram:
    """A .nl text, into which a solve writes its start and its bounds."""

    def __init__(
        self, engine: ExecutableEngine, model: NlModel, options: Mapping[str, Any]
    ) -> None:
        self._engine = engine
        self._options = dict(options)
        self._model = model
        self._n, self._m = len(model.variables), len(model.constraints)

    def solve(self, query: Query) -> Answer:
        """Run IPOPT once, in a process of its own.

        Raises
        ------
        OptionError
            IPOPT refuses an option.
        EngineError
            The executable ended without saying how the solve ended, or what it wrote cannot be
            read.
        """
        try:
            with tempfile.TemporaryDirectory() as folder:
                self._write(folder, query)
                output, code = self._run(folder, query.time_limit)
                if "print_level" in self._options:
                    print(output)
                return self._answer(output, code, Path(folder, "model.sol"))
        except subprocess.TimeoutExpired:
            return Answer(NlpStatus.TIME_LIMIT, "ended by us past the limit")
        except OSError as error:
            raise EngineError(NAME, f"{self._engine.path} cannot be run ({error})") from error

    def _write(self, folder: str, query: Query) -> None:
        model = self._model
        parts = (model.head, _start(query), model.sides, _bounds(query), model.tail)
        Path(folder, "model.nl").write_text("".join(parts), encoding="utf-8")
        options = self._option_file(query.time_limit)
        Path(folder, "ipopt.opt").write_text(options, encoding="utf-8")

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
        # Options from the environment would be mixed with ours unseen.
        environment = {k: v for k, v in os.environ.items() if k != "ipopt_options"}
        if self._model.libraries:
            environment["AMPLFUNC"] = "\n".join(self._model.libraries)
        # A file, since a child that it leaves behind would keep a pipe open.
        with Path(folder, "output").open("w+b") as output:
            process = subprocess.Popen(
                [self._engine.path, str(Path(folder, "model.nl")), "-AMPL", options],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )
            try:
                code = process.wait(None if time_limit is None else _latest(time_limit))
            finally:
                _end_all(process)
            output.seek(max(output.seek(0, os.SEEK_END) - MOST_OUTPUT, 0))
            return output.read().decode(errors="replace"), code

    def _answer(self, output: str, code: int, path: Path) -> Answer:
        if not path.exists():
            return self._answer_without_file(output, code)
        try:
            sol = read_sol(path.read_text(errors="replace"), self._n)
        except ValueError as error:
            raise EngineError(NAME, f"{self._engine.path}: {error} ({_shown(output)})") from error
        words = _exit_words(output) or _shown(sol.message.partition(": ")[2])
        status = from_exit_line(words)
        if not status.has_point:
            return Answer(status, words)
        if sol.x.size != self._n or sol.duals.size != self._m:
            cause = f"wrote {sol.x.size} values for {self._n} variables"
            cause += f" and {sol.duals.size} for {self._m} rows"
            raise EngineError(NAME, f"{self._engine.path} {cause}")
        none = np.zeros(self._n)
        # At most one of the two is away from zero: the one of the active bound.
        sides = [sol.suffixes.get(f"ipopt_z{side}_out", none) for side in "LU"]
        return Answer(status, words, _iterations(output), sol.x, sol.duals, sides[0] + sides[1])

    def _answer_without_file(self, output: str, code: int) -> Answer:
        refused = re.search(r'^.*\bOption:? "?(\w+).*$', output, re.MULTILINE)
        if refused and refused.group(1) in self._options and "OPTION_INVALID" in output:
            name = refused.group(1)
            raise OptionError(name, self._options[name], _shown(refused.group(0)))
        words = _exit_words(output)
        if words is None or from_exit_line(words).has_point:
            cause = f"ended with code {code} ({_shown(output)})"
            raise EngineError(NAME, f"{self._engine.path} {cause}")
        return Answer(from_exit_line(words), words)


def _latest(time_limit: float) -> float:
    return (1 + GRACE) * time_limit + GRACE_SECONDS


def _end_all(process: subprocess.Popen[bytes]) -> None:
    """End a process and those that it started, if they are still there."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


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
    return _shown(found[-1]) if found else None


def _shown(output: str) -> str:
    """The end of what an executable printed, in one line fit for a message."""
    words = "".join(c if c.isprintable() else " " for c in output[-10 * SHOWN :]).split()
    return " ".join(words)[-SHOWN:] or "it printed nothing"


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
        said = _shown(done.stdout + done.stderr)
        cause = f"`{path} --version` ended with code {done.returncode} ({said})"
        raise EngineError(NAME, cause)
    found = re.search(r"Ipopt (\d[\w.]*\w)", done.stdout)
    if found is None:
        raise EngineError(NAME, f"{path} is not IPOPT: it calls itself {_shown(done.stdout)!r}")
    return found.group(1)
