"""An `ipopt` executable, which reads a .nl file and writes a .sol file, as AMPL's solvers do.

`dual`, `ipopt_zL_out` and `ipopt_zU_out` in the .sol file are derivatives of the objective in the
model's own sense, for minimisation and maximisation alike (see AmplTNLP.cpp of IPOPT).
"""

from __future__ import annotations

import contextlib
import functools
import math
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pyomo.contrib.solver.common.util import SolverError
from pyomo.contrib.solver.solvers.asl_sol_reader import ASLSolFileData, parse_asl_sol_file

from bilad.models.validation import FloatArray
from bilad.solvers.nlp.engine import Answer, Engine, EngineError, OptionError
from bilad.solvers.nlp.nl_model import NlModel
from bilad.solvers.nlp.result import NlpStatus

NAME = "IPOPT executable"

VERSION_SECONDS = 10.0  # an executable that does not print its version in this time is refused
# IPOPT checks its time limit once an iteration. The process is killed when it exceeds the limit by
# the first number times the limit plus the second number in seconds.
GRACE, GRACE_SECONDS = 0.1, 0.5
MOST_OUTPUT = 1_000_000  # bytes that are read from the end of the output
SHOWN = 300  # characters of the output that a message quotes


def executable_engine(name: str) -> Engine:
    """Return the engine that runs this executable.

    Parameters
    ----------
    name : str
        Its name on PATH, or its path.

    Raises
    ------
    EngineError
        If there is none, or it does not start, or it is not IPOPT.
    """
    path = shutil.which(name)
    if path is None:
        raise EngineError(NAME, f"no `{name}` on PATH")
    version = _ipopt_version(path)
    return Engine(NAME, version, functools.partial(ExecutableProgram, path, version))


class ExecutableProgram:
    """A .nl text, to which each solve adds the start and the bounds."""

    def __init__(self, path: str, version: str, model: NlModel, options: Mapping[str, Any]) -> None:
        self._path, self._version = path, version
        self._model, self._options = model, dict(options)

    def solve(
        self, start: FloatArray, lower: FloatArray, upper: FloatArray, time_limit: float
    ) -> Answer:
        """Run IPOPT once, in its own process.

        Raises
        ------
        OptionError
            If IPOPT refuses an option.
        EngineError
            If the executable does not report how the solve ended, or its .sol file is invalid.
        """
        try:
            with tempfile.TemporaryDirectory() as folder:
                Path(folder, "model.nl").write_text(
                    self._model_file(start, lower, upper), encoding="utf-8"
                )
                Path(folder, "ipopt.opt").write_text(
                    self._option_file(time_limit), encoding="utf-8"
                )
                output, code = self._run(folder, time_limit)
                if "print_level" in self._options:
                    print(output)
                path = Path(folder, "model.sol")
                if path.exists():
                    return self._answer(output, path)
                return self._answer_without_file(output, code)
        except subprocess.TimeoutExpired:
            return Answer(NlpStatus.TIME_LIMIT, "the process was killed after its time limit")
        except OSError as error:
            raise EngineError(NAME, f"{self._path} cannot be run ({error})") from error

    def _model_file(self, start: FloatArray, lower: FloatArray, upper: FloatArray) -> str:
        values = (f"{j} {value!r}\n" for j, value in enumerate(start.tolist()))
        bounds = map(_bound, lower.tolist(), upper.tolist())
        model = self._model
        head, sides = f"{model.head}x{start.size}\n", f"{model.sides}b\n"
        return "".join([head, *values, sides, *bounds, model.tail])

    def _option_file(self, time_limit: float) -> str:
        # Level 3 prints the reason of the end and the number of iterations, and little else.
        options = {"print_level": 3, "sb": "yes", **self._options}
        if math.isfinite(time_limit):
            numbers = tuple(map(int, re.findall(r"\d+", self._version)[:2]))
            clock = "max_wall_time" if numbers >= (3, 14) else "max_cpu_time"
            options[clock] = min(time_limit, options.get(clock, time_limit))
        return "".join(f"{name} {_quoted(value)}\n" for name, value in options.items())

    def _run(self, folder: str, time_limit: float) -> tuple[str, int]:
        """Return the output and the exit code; kill the process, and its children, in the end."""
        options = f"option_file_name={Path(folder, 'ipopt.opt')}"
        # IPOPT would add the options in this variable to those of the file.
        environment = {k: v for k, v in os.environ.items() if k != "ipopt_options"}
        if self._model.libraries:
            environment["AMPLFUNC"] = "\n".join(self._model.libraries)
        # The output goes to a file, because a child left behind would keep a pipe open.
        with Path(folder, "output").open("w+b") as output:
            process = subprocess.Popen(
                [self._path, str(Path(folder, "model.nl")), "-AMPL", options],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )
            latest = (1 + GRACE) * time_limit + GRACE_SECONDS
            try:
                code = process.wait(latest if math.isfinite(latest) else None)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            output.seek(max(output.seek(0, os.SEEK_END) - MOST_OUTPUT, 0))
            return output.read().decode(errors="replace"), code

    def _answer(self, output: str, path: Path) -> Answer:
        n, m = len(self._model.variables), len(self._model.constraints)
        try:
            sol = _parsed(path)
            # At most one of the two multipliers of a variable differs from zero.
            lower, upper = (_suffix(sol, f"ipopt_z{side}_out", n) for side in "LU")
        except (SolverError, ValueError, IndexError, AssertionError) as error:
            cause = f"{self._path}: invalid .sol file: {str(error)[:SHOWN]} ({_shown(output)})"
            raise EngineError(NAME, cause) from error
        words = _exit_words(output) or _shown(sol.message.partition(": ")[2])
        status = NlpStatus.of(words)
        if not status.has_point:
            return Answer(status, words)
        if len(sol.primals) != n or len(sol.duals) != m:
            cause = f"wrote {len(sol.primals)} values for {n} variables"
            cause += f" and {len(sol.duals)} for {m} constraints"
            raise EngineError(NAME, f"{self._path} {cause}")
        found = re.findall(r"^Number of Iterations\.*: (\d+)", output, re.MULTILINE)
        return Answer(
            status,
            words,
            iterations=int(found[-1]) if found else None,
            x=np.array(sol.primals, dtype=np.float64),
            duals=np.array(sol.duals, dtype=np.float64),
            reduced_costs=lower + upper,
        )

    def _answer_without_file(self, output: str, code: int) -> Answer:
        refused = re.search(r'^.*\bOption:? "?(\w+).*$', output, re.MULTILINE)
        if refused and refused.group(1) in self._options and "OPTION_INVALID" in output:
            name = refused.group(1)
            raise OptionError(name, self._options[name], _shown(refused.group(0)))
        words = _exit_words(output)
        if words is None or NlpStatus.of(words).has_point:
            raise EngineError(NAME, f"{self._path} ended with code {code} ({_shown(output)})")
        return Answer(NlpStatus.of(words), words)


def _parsed(path: Path) -> ASLSolFileData:
    with path.open(encoding="utf-8", errors="replace") as file:
        return parse_asl_sol_file(file)


def _suffix(sol: ASLSolFileData, name: str, n: int) -> FloatArray:
    """Return a suffix of the n variables; an entry that the file leaves out is zero."""
    values = np.zeros(n)
    for index, value in sol.var_suffixes.get(name, {}).items():
        if not 0 <= index < n:
            raise IndexError(f"there is no variable {index}")
        values[index] = value
    return values


def _bound(low: float, up: float) -> str:
    """Return a line of segment b: 0 for two bounds, 1 upper, 2 lower, 3 none, 4 equal bounds."""
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
    """Return the end of an output as one printable line for a message."""
    words = "".join(c if c.isprintable() else " " for c in output[-10 * SHOWN :]).split()
    return " ".join(words)[-SHOWN:] or "it printed nothing"


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
