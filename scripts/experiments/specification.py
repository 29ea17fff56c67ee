"""The specification of an experiment, in TOML or in Python, and the runs that it describes.

    [data.flowers]
    source = "iris"

    [models.cc]
    kind = "convex clustering"
    gamma = 10.0
    neighbours = 10

    [perturbations.ten]
    kind = "entries"
    points = 10

    [methods.corners]

    [[problems]]
    data = "flowers"
    models = "cc"
    perturbations = "ten"
    budgets = [1.0, 2.0]

A block of `problems` is the product of everything that it lists; the runs are its product with
the methods, the tolerances and the seeds. All faults are reported at once, each with its place,
before any run.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyomo.environ as pyo

from bilad.formulations.follower import ModelError
from bilad.models import ArgumentError, BilevelProblem
from bilad.models.validation import one_of, real_number, whole_number
from bilad.scripts.experiments.definitions import BILEVEL, LOWER, Definitions, Method
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

TOP = (
    "name", "seeds", "tolerances", "bound", "closing", "restarts", "limits", "plugins",
    "data", "models", "perturbations", "methods", "problems",
)  # fmt: skip
OF_BLOCK = ("family", "methods", "limits", "seeds", "bound", "closing", "restarts")
MOST_SEEDS = 100_000
LIMITS = ("solves", "seconds", "kill")
KILL = (2.0, 60.0)  # a run is ended after its limit in seconds times the first, plus the second


@dataclass(frozen=True)
class Experiment:
    """The runs of a specification, in its order."""

    name: str
    runs: tuple[Run, ...]

    def only(self, problems: str | None = None, methods: str | None = None) -> Experiment:
        """Return the runs on problems or families with a text in their name, by some methods.

        Parameters
        ----------
        problems : str, optional
        methods : str, optional
            Names of methods, comma-separated.

        Raises
        ------
        ArgumentError
            If no run is left, or a method is not known.
        """
        known = dict.fromkeys(run.base for run in self.runs)
        chosen = (
            [one_of(n.strip(), "methods", known) for n in methods.split(",")] if methods else known
        )
        runs = [
            run
            for run in self.runs
            if run.base in chosen
            and (problems or "") in f"{run.names['family']}\n{run.names['problem']}"
        ]
        if not runs:
            names = "; ".join(dict.fromkeys(run.names["problem"] for run in self.runs[:300:100]))
            raise ArgumentError("problems", repr(problems), f"a part of names such as: {names}")
        return Experiment(self.name, tuple(runs))


@dataclass(frozen=True)
class Conditions:
    """What holds for all runs of a block."""

    seeds: Sequence[int] = (0,)
    bound: str = "none"
    closing: str = "none"
    restarts: bool = False
    solves: int | None = None
    seconds: float | None = None
    kill: float | None = None


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
            text = Path(source).read_text(encoding="utf-8")
            given = tomllib.loads(text)
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise SpecificationError(named, [str(error)]) from None
    else:
        raise ArgumentError("specification", type(source).__name__, "a path or a mapping")
    faults = Faults(named, text)
    for change in changes:
        try:
            given = _merged(given, tomllib.loads(change))
        except tomllib.TOMLDecodeError as error:
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
        self.plugins = tuple(self._plugins())  # before the definitions, which may need them
        self.defined = Definitions(given, folder, faults)
        self._keys: set[str] = set()
        self._contents: dict[tuple[str, str, int], str] = {}

    def experiment(self, stem: str) -> Experiment:
        """Return the experiment; faults may leave it incomplete."""
        faults, name = self.faults, self.given.get("name", stem)
        if not isinstance(name, str) or not name:
            faults.expect(("name",), repr(name), "a string")
        base, tolerances = self._conditions((), self.given, Conditions()), self._tolerances()
        runs = []
        for place, block in self._blocks():
            for run in self._runs(place, block, base, tolerances, str(name)):
                self._note(place, run)
                runs.append(run)
        if not runs and not faults:
            faults.add((), "there is no run: no problem or no method")
        return Experiment(str(name), tuple(runs))

    def _plugins(self) -> Iterator[PythonFile]:
        for k, name in enumerate(self.faults.values((), self.given, "plugins")):
            with self.faults.at("plugins", k):
                file = PythonFile.read(str(name), self.folder)
                file.names()
                yield file

    def _tolerances(self) -> list[float]:
        found = []
        for k, value in enumerate(self.faults.values((), self.given, "tolerances", [1e-8])):
            with self.faults.at("tolerances", k):
                found.append(real_number(value, "tolerances", above=0))
        return found

    def _conditions(self, place: Place, given: Mapping[str, Any], base: Conditions) -> Conditions:
        """Return the conditions of a block, those of `base` where it has none."""
        faults, changed = self.faults, dict[str, Any]()
        if "seeds" in given:
            changed["seeds"] = self._seeds(place, given)
        for name, known in (("bound", EFFORTS), ("closing", CLOSINGS)):
            if name in given:
                with faults.at(*place, name):
                    changed[name] = one_of(given[name], name, known)
        if "restarts" in given:
            changed["restarts"] = given["restarts"]
            if not isinstance(given["restarts"], bool):
                faults.expect((*place, "restarts"), repr(given["restarts"]), "true or false")
        return replace(base, **changed, **self._limits((*place, "limits"), given.get("limits", {})))

    def _limits(self, place: Place, given: Any) -> dict[str, Any]:
        if not isinstance(given, Mapping):
            self.faults.expect(place, repr(given), "a table")
            return {}
        self.faults.known(place, given, LIMITS)
        found: dict[str, Any] = {}
        for name in (name for name in LIMITS if name in given):
            with self.faults.at(*place, name):
                if name == "solves":
                    found[name] = whole_number(given[name], name, least=0)
                else:
                    found[name] = real_number(given[name], name, above=0)
        return found

    def _seeds(self, place: Place, given: Mapping[str, Any]) -> list[int]:
        """Return seeds; a number n stands for 0 to n - 1."""
        seeds, inside = given["seeds"], (*place, "seeds")
        if isinstance(seeds, int) and not isinstance(seeds, bool):
            if not 1 <= seeds <= MOST_SEEDS:
                self.faults.expect(inside, seeds, f"a number from 1 to {MOST_SEEDS}, or a list")
                return []
            return list(range(seeds))
        found = []
        for k, seed in enumerate(self.faults.values(place, given, "seeds")):
            with self.faults.at(*inside, k):
                found.append(whole_number(seed, "seeds", least=0))
        return found

    def _blocks(self) -> Iterator[tuple[Place, Mapping[str, Any]]]:
        given = self.given.get("problems", [])
        if isinstance(given, Mapping):
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
        self,
        place: Place,
        block: Mapping[str, Any],
        base: Conditions,
        tolerances: Sequence[float],
        experiment: str,
    ) -> Iterator[Run]:
        """Yield the runs of a block."""
        conditions, methods = self._conditions(place, block, base), self._methods(place, block)
        family = block.get("family", experiment)
        if not isinstance(family, str):
            self.faults.expect((*place, "family"), repr(family), "a string")
            return
        about = {"experiment": experiment, "family": family}
        for seed in conditions.seeds:
            for one in problems_of(place, block, seed, self.defined, self.faults):
                for method in methods:
                    self._check(method, one)
                    yield from self._of(one, about, method, seed, conditions, tolerances)

    def _of(
        self,
        one: Problem,
        about: Mapping[str, str],
        method: Method,
        seed: int,
        conditions: Conditions,
        tolerances: Sequence[float],
    ) -> Iterator[Run]:
        """Yield the runs of a method on a problem: one for each tolerance of the lower level."""
        bilevel, kill = is_bilevel_model(one.built), conditions.kill
        # The limit in seconds does not end a ray, which is a reference and no search.
        if kill is None and conditions.seconds is not None and method.method != RAY:
            kill = KILL[0] * conditions.seconds + KILL[1]
        chosen = tolerances[:1] if bilevel else tolerances
        for tol in chosen:
            varies = f", tol = {tol:g}" if len(chosen) > 1 else ""
            yield Run(
                names={**about, **one.names},
                problem=one.sent,
                fingerprint=fingerprint(one.built) + (f" {one.share:g}" if one.share else ""),
                label=method.label + varies,
                base=method.name,
                method=method.method,
                options=method.options,
                seed=seed,
                solves=conditions.solves,
                seconds=conditions.seconds,
                kill=kill,
                bound="none" if bilevel else conditions.bound,
                closing="none" if bilevel else method.closing or conditions.closing,
                tol=tol,
                restarts=conditions.restarts,
                optimum=one.optimum,
                share=one.share,
                plugins=self.plugins,
            )

    def _methods(self, place: Place, block: Mapping[str, Any]) -> list[Method]:
        """Return the methods of a block: those that it names, or all that are defined."""
        every = self.defined.methods
        if "methods" not in block:
            return [one for own in every.values() for one in own]
        found: list[Method] = []
        for k, name in enumerate(self.faults.values(place, block, "methods")):
            with self.faults.at(*place, "methods", k):
                found += every.get(one_of(name, "methods", self.defined.tables("methods")), [])
        return found

    def _check(self, method: Method, one: Problem) -> None:
        """Check the options of a method on a problem to which it applies."""
        name, built, options = method.method, one.built, dict(method.options)
        with self.faults.blamed(("methods", method.name), self.given["methods"][method.name]):
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
