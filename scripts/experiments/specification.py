"""The specification of an experiment, in TOML or in Python, and the runs that it describes.

A block of `problems` is the product of everything that it lists; the runs are its product with
the methods, the tolerances and the seeds. docs/experiments.md describes all keys. All faults are
reported at once, each with its place, before any run.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyomo.environ as pyo

from bilad.formulations.follower import ModelError
from bilad.models import ArgumentError, BilevelProblem
from bilad.models.validation import boolean, one_of, real_number, whole_number
from bilad.scripts.experiments.definitions import BILEVEL, KINDS, LOWER, Definitions, Method
from bilad.scripts.experiments.faults import Faults, SpecificationError
from bilad.scripts.experiments.faults import Path as Place
from bilad.scripts.experiments.fingerprint import fingerprint, is_bilevel_model
from bilad.scripts.experiments.problems import FROM_PYTHON, PRODUCT, Problem, problems_of
from bilad.scripts.experiments.python_file import PythonFile
from bilad.scripts.experiments.run import RAY, Run
from bilad.solvers import solve_bilevel
from bilad.solvers.bilevel.oracle import LowerLevel
from bilad.solvers.upper import UPPER_METHODS, refusal
from bilad.solvers.upper.attack import EFFORTS
from bilad.solvers.upper.closing import CLOSINGS

MOST_SEEDS, MOST_SEED = 100_000, 2**32 - 1  # what generators of scikit-learn accept
KILL = (2.0, 60.0)  # a run is ended after its limit in seconds times the first, plus the second
LONGEST = 2e6  # seconds, 23 days: no timer of the operating system takes more
Check = Callable[[Any], Any]
# The conditions of runs: keys of the specification and of a block, and of their table `limits`.
LISTED: Mapping[str, Check] = {
    "seeds": lambda given: _seed(given),
    "tolerances": lambda given: real_number(given, "tolerances", above=0),
}
SINGLE: Mapping[str, Check] = {
    "bound": lambda given: one_of(given, "bound", EFFORTS),
    "closing": lambda given: one_of(given, "closing", CLOSINGS),
    "restarts": lambda given: boolean(given, "restarts"),
}
LIMITS: Mapping[str, Check] = {
    "solves": lambda given: whole_number(given, "solves", least=0),
    "seconds": lambda given: real_number(given, "seconds", above=0),
    "kill": lambda given: real_number(given, "kill", above=0),
}
CONDITIONS: Mapping[str, Any] = {
    "seeds": (0,), "tolerances": (1e-8,), "bound": "none", "closing": "none", "restarts": False,
    "solves": None, "seconds": None, "kill": None,
}  # fmt: skip
OF_BLOCK = ("family", "methods", "limits", *LISTED, *SINGLE)
TOP = ("name", "plugins", "problems", "methods", "limits", *LISTED, *SINGLE, *KINDS)


@dataclass(frozen=True)
class Experiment:
    """The runs of a specification, in its order."""

    name: str
    runs: tuple[Run, ...]

    def only(self, problems: str | None = None, methods: str | None = None) -> Experiment:
        """Return the runs on problems or families with a text in their name, by some methods.

        `methods` are names, comma-separated. It is an `ArgumentError` if one is not known, or no
        run is left.
        """
        known = dict.fromkeys(run.base for run in self.runs)
        given = methods.split(",") if methods else []
        chosen = [one_of(name.strip(), "methods", known) for name in given] or known
        wanted = (run for run in self.runs if run.base in chosen)
        runs = [
            run
            for run in wanted
            if (problems or "") in f"{run.names['family']}\n{run.names['problem']}"
        ]
        if not runs:
            names = "; ".join(dict.fromkeys(run.names["problem"] for run in self.runs[:300:100]))
            raise ArgumentError("problems", repr(problems), f"a part of names such as: {names}")
        return Experiment(self.name, tuple(runs))


def read_specification(
    source: str | Path | Mapping[str, Any], changes: Iterable[str] = ()
) -> Experiment:
    """Read a specification and return its runs.

    Parameters
    ----------
    source : path or mapping
        A TOML file, or its content as a mapping. In a mapping, `problems` may also be a mapping of
        names to problems: a BilevelProblem, a model of Pyomo, or a tuple (problem, optimum).
    changes : iterable of str, optional
        Statements in TOML, such as "limits.seconds = 2.0", that replace values of the source.

    Raises
    ------
    SpecificationError
        With all faults and their places, before any run.
    """
    if isinstance(source, Mapping):
        text, given, folder, named = "", dict(source), Path(), "specification"
    elif isinstance(source, str | Path):
        named, folder = str(source), Path(source).parent
        try:
            text = Path(source).read_text(encoding="utf-8-sig")
            given = tomllib.loads(text)
        except (OSError, ValueError, RecursionError) as error:
            raise SpecificationError(named, [str(error)]) from None
    else:
        raise ArgumentError("specification", type(source).__name__, "a path or a mapping")
    faults = Faults(named, text)
    for change in changes:
        try:
            given = _merged(given, tomllib.loads(change))
        except (ValueError, RecursionError) as error:
            faults.add((), f"{change!r}: {error}")
    experiment = _Reader(given, folder, faults).experiment(Path(named).stem)
    faults.raise_any()
    return experiment


def _merged(given: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table with changes, and leave both unchanged."""
    made = dict(given)
    for key, value in change.items():
        inside = isinstance(value, Mapping) and isinstance(made.get(key), Mapping)
        made[key] = _merged(made[key], value) if inside else value
    return made


class _Reader:
    """Reads one specification."""

    def __init__(self, given: Mapping[str, Any], folder: Path, faults: Faults) -> None:
        faults.known((), given, TOP)
        if isinstance(given.get("methods"), list):  # of names, for methods without options
            names = faults.values((), given, "methods")
            given = {**given, "methods": {str(name): {} for name in names}}
        self.given, self.folder, self.faults = given, folder, faults
        # Before the definitions, which may need them.
        self.plugins = tuple(faults.each((), given, "plugins", self._plugin))
        self.defined = Definitions(given, folder, faults)
        self._keys: set[str] = set()
        self._contents: dict[tuple[str, str, int], str] = {}

    def experiment(self, stem: str) -> Experiment:
        """Return the experiment; faults may leave it incomplete."""
        faults, name = self.faults, self.given.get("name", stem)
        if not isinstance(name, str) or not name:
            faults.expect(("name",), repr(name), "a string")
        base = self._conditions((), self.given, CONDITIONS)
        runs: list[Run] = []
        for place, block in self._blocks():
            for run in self._runs(place, block, base, str(name)):
                self._note(place, run)
                runs.append(replace(run, position=len(runs)))
        if not runs and not faults:
            faults.add((), "there is no run: no problem or no method")
        return Experiment(str(name), tuple(runs))

    def _plugin(self, name: Any) -> PythonFile:
        file = PythonFile.read(str(name), self.folder)
        file.names()
        return file

    def _conditions(
        self, place: Place, given: Mapping[str, Any], base: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return what holds for the runs of a block: what it says, otherwise that of `base`."""
        faults, limits, made = self.faults, given.get("limits", {}), dict(base)
        if not isinstance(limits, Mapping):
            faults.expect((*place, "limits"), repr(limits), "a table")
            limits = {}
        faults.known((*place, "limits"), limits, LIMITS)
        seeds = given.get("seeds")
        if isinstance(seeds, int) and not isinstance(seeds, bool):  # for 0 to seeds - 1
            if not 1 <= seeds <= MOST_SEEDS:
                expected = f"a number from 1 to {MOST_SEEDS}, or a list"
                faults.expect((*place, "seeds"), seeds, expected)
                seeds = 1
            given = {**given, "seeds": range(seeds)}
        for key in (key for key in LISTED if key in given):
            # With faults, the rest of the block is checked all the same.
            made[key] = faults.each(place, given, key, LISTED[key]) or base[key]
        for inside, table, checks in ((place, given, SINGLE), ((*place, "limits"), limits, LIMITS)):
            for key in (key for key in checks if key in table):
                with faults.at(*inside, key):
                    made[key] = checks[key](table[key])
        return made

    def _blocks(self) -> Iterator[tuple[Place, Mapping[str, Any]]]:
        given = self.given.get("problems", [])
        if isinstance(given, Mapping) and not self.faults.lines:  # in Python
            yield ("problems",), {"objects": given}
            return
        if not isinstance(given, list):
            self.faults.expect(("problems",), type(given).__name__, "tables [[problems]]")
            return
        for k, block in enumerate(given):
            if isinstance(block, Mapping):
                keys = FROM_PYTHON if "python" in block else PRODUCT
                self.faults.known(("problems", k), block, [*keys, *OF_BLOCK])
                yield ("problems", k), block
            else:
                self.faults.expect(("problems", k), repr(block), "a table")

    def _runs(
        self, place: Place, block: Mapping[str, Any], base: Mapping[str, Any], experiment: str
    ) -> Iterator[Run]:
        """Yield the runs of a block."""
        conditions, methods = self._conditions(place, block, base), self._methods(place, block)
        about = {"experiment": experiment, "family": block.get("family", experiment)}
        if not isinstance(about["family"], str):
            self.faults.expect((*place, "family"), repr(about["family"]), "a string")
            about["family"] = experiment
        seeds, tolerances = conditions.pop("seeds"), conditions.pop("tolerances")
        for seed in seeds:
            for one in problems_of(place, block, seed, self.defined, self.faults):
                is_model = is_bilevel_model(one.built)
                content = fingerprint(one.built, one.test or ())
                content += f" {one.share:g}" if one.share else ""
                same = {"names": {**about, **one.names}, "problem": one.sent, "seed": seed}
                same |= {"optimum": one.optimum, "share": one.share, "test": one.test}
                chosen = tolerances[:1] if is_model else tolerances
                for method in methods:
                    if seed == seeds[0]:
                        self._check(method, one)
                    own = _own(method, conditions, is_model)
                    for tol in chosen:
                        label = method.label + (f", tol = {tol:g}" if len(chosen) > 1 else "")
                        own |= {"label": label, "tol": tol, "fingerprint": content}
                        yield Run(**same, **own, plugins=self.plugins)

    def _methods(self, place: Place, block: Mapping[str, Any]) -> list[Method]:
        """Return the methods of a block: those that it names, or all that are defined."""
        every, tables = self.defined.methods, self.defined.tables("methods")
        if "methods" not in block:
            return [one for own in every.values() for one in own]
        named = self.faults.each(
            place, block, "methods", lambda name: every.get(one_of(name, "methods", tables), [])
        )
        return [one for own in named for one in own]

    def _check(self, method: Method, one: Problem) -> None:
        """Check the options of a method on a problem to which it applies."""
        name, built, options = method.method, one.built, dict(method.options)
        with self.faults.at("methods", method.name, table=self.given["methods"][method.name]):
            if not isinstance(built, BilevelProblem):
                if name in BILEVEL:
                    with suppress(ModelError):  # of the empty model, once the options are checked
                        solve_bilevel(pyo.ConcreteModel(), name, **options)
            elif name == RAY:
                whole_number(options.get("points", 2), "points", least=2)
            elif name in UPPER_METHODS and refusal(UPPER_METHODS[name], built) is None:
                if LOWER in options:
                    LowerLevel(built, options.pop(LOWER))
                UPPER_METHODS[name].prepare(built, np.random.default_rng(0), **options)

    def _note(self, place: Place, run: Run) -> None:
        """Check that no run and no name of a problem stands twice."""
        name, family = run.names["problem"], run.names["family"]
        if run.key in self._keys:
            self.faults.add(place, f"{name!r} by {run.label!r} with seed {run.seed} stands twice")
        self._keys.add(run.key)
        content = self._contents.setdefault((family, name, run.seed), run.fingerprint)
        if content != run.fingerprint:
            self.faults.add(place, f"two problems have the name {name!r}; give them families")


def _seed(given: Any) -> int:
    seed = whole_number(given, "seeds", least=0)
    if seed > MOST_SEED:
        raise ArgumentError("seeds", seed, f"at most {MOST_SEED}")
    return seed


def _own(method: Method, conditions: Mapping[str, Any], is_model: bool) -> dict[str, Any]:
    """Return the fields of the runs by a method."""
    own = {**conditions, "base": method.name, "method": method.method, "options": method.options}
    own["closing"] = "none" if is_model else method.closing or own["closing"]
    own["bound"] = "none" if is_model else own["bound"]
    # The limit in seconds does not end a ray, which is a reference and no search.
    if own["kill"] is None and own["seconds"] is not None and method.method != RAY:
        own["kill"] = KILL[0] * own["seconds"] + KILL[1]
    if own["kill"] is not None:
        own["kill"] = min(own["kill"], LONGEST)
    return own
