"""What is installed: packages and solvers, what is missing or broken, and how to get it.

Nothing but the standard library is imported at the top, so that the checks work whatever is broken.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import platform
import re
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

# The names of packages whose modules are called otherwise.
MODULES = {"pynomadbbo": "PyNomad", "scikit-learn": "sklearn"}
EXTRAS = ("derivative-free", "distributed")  # of users; the others are for developers
REMEDY = "pip install --upgrade --force-reinstall bilad"
OK, MISSING, BROKEN, OUTSIDE = "ok", "missing", "broken", "outside its range"
LINEAR_SOLVER = re.compile(r"running with linear solver ([^,\n]*\w)")
TOLERANCE = 1e-6  # of the solutions of the self-test
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True)
class Finding:
    """One thing that was checked.

    Attributes
    ----------
    part : str
        "system", "package", "optional", "solver" or "self-test".
    name : str
    found : str
        What was found, such as a version.
    state : str
        "ok", "missing", "broken" or "outside its range".
    expected : str
        The range of versions that is allowed.
    remedy : str
        What to do if the state is not "ok", or how to add an optional package.
    """

    part: str
    name: str
    found: str
    state: str = OK
    expected: str = ""
    remedy: str = ""

    @property
    def is_fault(self) -> bool:
        """Whether something that is required is missing or broken."""
        return self.state != OK and self.part != "optional"


def findings() -> Iterator[Finding]:
    """Check the installation, each part in a process of its own, which what is broken can end."""
    for part in PARTS:
        yield from _apart(part)


def _apart(part: str) -> list[Finding]:
    """Return what the process of a part finds, and what ended it before its end."""
    command = [sys.executable, "-m", __name__, part]
    ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    lines = [line for line in ended.stdout.splitlines() if line.startswith(b"{")]  # ours
    found = [Finding(**json.loads(line)) for line in lines]
    if ended.returncode:
        after = found[-1].name if found else "its start"
        reason = f"the process ended with code {ended.returncode} after {after}"
        found.append(Finding(part, "checks", reason, BROKEN, remedy=REMEDY))
    return found


def checks(part: str) -> Iterator[Finding]:
    """Check a part in this process; a part that fails as a whole is a finding too."""
    try:
        yield from PARTS[part]()
    except Exception as error:  # what is broken can raise anything
        reason = f"{type(error).__name__}: {error}"
        yield Finding(part, "checks", reason, BROKEN, remedy=REMEDY)


def system() -> Iterator[Finding]:
    """Yield facts about Python, this machine, and the folders that are used."""
    about = f"{platform.python_implementation()} {platform.python_version()}"
    yield Finding("system", "Python", f"{about}, {sys.executable}")
    yield Finding("system", "platform", f"{platform.system()} {platform.machine()}")
    yield _checked("system", "bilad", lambda: f"{version('bilad')}, {Path(__file__).parents[1]}")
    limits = [f"{name}={os.environ[name]}" for name in THREADS if name in os.environ]
    cores = f"{os.cpu_count()}, {_usable_cores()} usable by this process"
    yield Finding("system", "cores", "; ".join([cores, *limits]))
    yield _checked("system", "threads", _threads)
    yield _checked("system", "compiled code", _compiled_code)
    yield _checked("system", "data folder", _data_folder)


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _threads() -> str:
    from threadpoolctl import threadpool_info

    importlib.import_module("scipy.linalg")  # loads the library for linear algebra
    pools = {f"{one['internal_api']} {one['num_threads']}" for one in threadpool_info()}
    return f"{', '.join(sorted(pools))}; attacks and experiments use one for each run"


def _compiled_code() -> str:
    from bilad.solvers.clustering.ssnal.edge_loops import project

    function: Any = project  # what Numba makes of it has the folder of its code
    path = Path(function.stats.cache_path)
    nearest = next(one for one in (path, *path.parents) if one.exists())
    if os.access(nearest, os.W_OK):
        return f"{path}, writable"
    return f"{path}, not writable: the first solve of every process compiles again"


def _data_folder() -> str:
    from bilad.models.datasets import data_folder

    folder = data_folder()
    return f"{folder} ({'exists' if folder.is_dir() else 'does not exist yet'})"


def packages() -> Iterator[Finding]:
    """Yield the dependencies, and the optional packages, with their versions."""
    from packaging.requirements import Requirement

    for text in requires("bilad") or []:
        wanted = Requirement(text)
        if wanted.marker is None or wanted.marker.evaluate():
            yield _package(wanted)
            continue
        for extra in EXTRAS:
            if wanted.marker.evaluate({"extra": extra}):
                yield _package(wanted, extra)


def _package(wanted: Any, extra: str = "") -> Finding:
    """Return whether a package is installed in an allowed version and can be imported."""
    name, allowed = wanted.name, str(wanted.specifier)
    part = "optional" if extra else "package"
    remedy = f"pip install 'bilad[{extra}]'" if extra else f"pip install '{name}{allowed}'"
    try:
        found = version(name)
    except PackageNotFoundError:
        return Finding(part, name, "not installed", MISSING, allowed, remedy)
    module = MODULES.get(name.lower(), name.replace("-", "_"))
    reason = _failure(lambda: importlib.import_module(module))
    if reason is not None:
        again = f"pip install --force-reinstall '{name}{allowed}'"
        return Finding(part, name, f"{found}: {reason}", BROKEN, allowed, again)
    if not wanted.specifier.contains(found, prereleases=True):
        return Finding(part, name, found, OUTSIDE, allowed, remedy)
    return Finding(part, name, found, OK, allowed)


def _failure(call: Callable[[], object]) -> str | None:
    """Return why a call fails, or None; what is imported can raise anything, and print."""
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            call()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def _checked(part: str, name: str, check: Callable[[], str]) -> Finding:
    """Return what a check finds, or why it fails."""
    found: list[str] = []
    reason = _failure(lambda: found.append(check()))
    return Finding(part, name, found[0]) if reason is None else Finding(part, name, reason, BROKEN)


def solvers() -> Iterator[Finding]:
    """Yield the solvers with their versions; IPOPT and HiGHS solve a small problem."""
    for name, check in (("IPOPT", _ipopt), ("HiGHS", _highs), ("Clarabel", _clarabel)):
        yield _checked("solver", name, check)


def self_tests() -> Iterator[Finding]:
    """Solve a small model of convex clustering by each method of the lower level."""
    from bilad.solvers.clustering import LOWER_METHODS

    for name in LOWER_METHODS:
        yield _checked("self-test", f"cluster by {name}", partial(_lower, name))


def _ipopt() -> str:
    """Solve a small NLP, and return the engine, its version and its linear solver."""
    import pyomo.environ as pyo

    from bilad.solvers.nlp import IpoptSession

    model = pyo.ConcreteModel()
    model.x = pyo.Var(initialize=2.0)
    model.goal = pyo.Objective(expr=(model.x - 1) ** 2)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        session = IpoptSession(model, {"print_level": 5})
        status = session.solve().status.value
    if status != "optimal" or abs(model.x.value - 1) > TOLERANCE:
        raise RuntimeError(f"a small problem ended with status {status!r}, x = {model.x.value}")
    solver = LINEAR_SOLVER.search(printed.getvalue())
    return f"{session.engine} {session.version}, linear solver {solver[1] if solver else 'unknown'}"


def _highs() -> str:
    """Solve a small integer program, and return the version."""
    import pyomo.environ as pyo
    from pyomo.contrib.solver.solvers.highs import Highs

    model = pyo.ConcreteModel()
    model.x = pyo.Var(domain=pyo.Integers, bounds=(0, 5.5))
    model.goal = pyo.Objective(expr=model.x, sense=pyo.maximize)
    solver = Highs()
    value = solver.solve(model).incumbent_objective
    if value is None or abs(value - 5) > TOLERANCE:
        raise RuntimeError(f"a small problem has the value {value}, not 5")
    return ".".join(map(str, solver.version()))


def _clarabel() -> str:
    import clarabel

    return str(clarabel.__version__)


def _lower(method: str) -> str:
    """Solve a small model of convex clustering, and return the time that it took."""
    import numpy as np

    from bilad.models import ConvexClustering, FusionGraph
    from bilad.solvers import cluster

    data = np.array([[0.0], [0.1], [1.0], [1.1]])
    began = time.perf_counter()
    found = cluster(ConvexClustering(data, FusionGraph.complete(4), 0.08), method)
    if found.status != "optimal" or found.labels.tolist() != [0, 0, 1, 1]:
        raise RuntimeError(f"status {found.status!r}, labels {found.labels.tolist()}")
    return f"{time.perf_counter() - began:.2f} s"


PARTS = {"system": system, "package": packages, "solver": solvers, "self-test": self_tests}

if __name__ == "__main__":
    for one in checks(sys.argv[1]):
        print(json.dumps(asdict(one)), flush=True)
