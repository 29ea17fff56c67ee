"""The definitions of a specification: data, learning models, perturbations, and methods."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bilad.formulations.schedule import Schedule
from bilad.models import ArgumentError, LearningModel, Perturbation
from bilad.models.validation import one_of
from bilad.scripts.experiments.faults import Blame, Faults
from bilad.scripts.experiments.faults import Path as Place
from bilad.scripts.experiments.parts import MODELS, PERTURBATIONS, SOURCES, Sample
from bilad.scripts.experiments.run import RAY
from bilad.solvers import solve_bilevel
from bilad.solvers.followers.solve import METHODS as BILEVEL_METHODS
from bilad.solvers.upper import UPPER_METHODS
from bilad.solvers.upper.closing import CLOSINGS
from bilad.solvers.upper.method import keywords

KINDS: dict[str, Mapping[str, Callable[..., Any]]] = {
    "data": SOURCES,
    "models": MODELS,
    "perturbations": PERTURBATIONS,
}
OF_METHOD = ("method", "closing", "vary")  # keys that are not options of the method
BILEVEL = ("auto", *BILEVEL_METHODS)
LOWER = "lower"  # an option of `attack` that every method has


@dataclass(frozen=True)
class Method:
    """A method with its options."""

    name: str  # of its table
    label: str  # with the options that vary
    method: str
    options: Mapping[str, Any]
    closing: str | None = None  # None for that of the experiment


class Definitions:
    """The definitions that have no fault.

    Parameters
    ----------
    given : mapping
        The specification.
    folder : Path
        The paths of data files are relative to it.
    faults : Faults
        To which the faults are added.
    """

    def __init__(self, given: Mapping[str, Any], folder: Path, faults: Faults) -> None:
        self.given, self.folder, self.faults = given, folder, faults
        self._samples: dict[tuple[str, int], tuple[Sample, Any]] = {}
        self._models: dict[tuple[str, str, int], LearningModel] = {}
        self.parts = {kind: dict(self._defined(kind)) for kind in KINDS}
        for name in self.parts["data"]:
            self._sample(name, 0)
        self.methods = {name: own for name, own in self._methods() if own}

    def tables(self, kind: str) -> dict[str, Mapping[str, Any]]:
        """Return the tables of a kind by name, also those with faults."""
        given = self.given.get(kind, {})
        if not isinstance(given, Mapping):
            self.faults.expect((kind,), type(given).__name__, f"tables [{kind}.NAME]")
            return {}
        for name, table in given.items():
            if not isinstance(table, Mapping):
                self.faults.expect((kind, name), repr(table), f"a table [{kind}.{name}]")
        return {name: table for name, table in given.items() if isinstance(table, Mapping)}

    def _defined(self, kind: str) -> Iterator[tuple[str, Callable[..., Any]]]:
        for name, given in self.tables(kind).items():
            options = dict(given)
            which = options.pop("kind", "table" if kind == "data" else None)
            with self.faults.at(kind, name, "kind"):
                function = KINDS[kind][one_of(which, "kind", KINDS[kind])]
                if self._fits((kind, name), function, options):
                    yield name, _partial(function, self._with_path(which, options))

    def _fits(self, place: Place, function: Callable[..., Any], options: Mapping[str, Any]) -> bool:
        """Check the keys of a table against the keyword-only parameters of a function."""
        parameters = inspect.signature(function).parameters.values()
        own = [p for p in parameters if p.kind is p.KEYWORD_ONLY]
        missing = [p.name for p in own if p.default is p.empty and p.name not in options]
        for name in missing:
            self.faults.add(place, f"{name!r} is missing")
        return self.faults.known(place, options, [*(p.name for p in own), "kind"]) and not missing

    def _with_path(self, kind: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return options in which the path of a data file is relative to the specification."""
        source = options.get("source")
        if kind == "table" and isinstance(source, str) and (self.folder / source).is_file():
            return {**options, "source": str(self.folder / source)}
        return dict(options)

    def build(
        self, data: str, model: str, change: str, seed: int
    ) -> tuple[LearningModel, Perturbation] | None:
        """Return the model and the perturbation of a combination, None if one has a fault."""
        drawn = self._sample(data, seed)
        if drawn is None:
            return None
        sample, state = drawn
        if (data, model, seed) not in self._models:
            with self._blamed("models", model):
                self._models[data, model, seed] = self.parts["models"][model](sample)
        made = self._models.get((data, model, seed))
        if made is None:
            return None
        rng = np.random.default_rng(seed)
        rng.bit_generator.state = state
        with self._blamed("perturbations", change):
            free: Perturbation = self.parts["perturbations"][change](made, rng)
            return made, free.bound_to(made)
        return None

    def _sample(self, data: str, seed: int) -> tuple[Sample, Any] | None:
        """Return the points of a data set, and the state of the random numbers after them."""
        if (data, seed) not in self._samples:
            with self._blamed("data", data):
                rng = np.random.default_rng(seed)
                sample = self.parts["data"][data](rng)
                self._samples[data, seed] = sample, rng.bit_generator.state
        return self._samples.get((data, seed))

    def _blamed(self, kind: str, name: str) -> Blame:
        return self.faults.blamed((kind, name), self.given[kind][name])

    def _methods(self) -> Iterator[tuple[str, list[Method]]]:
        for name, given in self.tables("methods").items():
            place: Place = ("methods", name)
            with self.faults.at(*place, *(["method"] if "method" in given else [])):
                method = given.get("method", name)
                one_of(method, "method", dict.fromkeys([*UPPER_METHODS, *BILEVEL, RAY]))
                yield name, list(self._variants(place, name, method, given))

    def _variants(
        self, place: Place, name: str, method: str, given: Mapping[str, Any]
    ) -> Iterator[Method]:
        """Yield the method with each combination of the options that vary."""
        closing, vary, known = given.get("closing"), given.get("vary", {}), options_of(method)
        if closing is not None:
            with self.faults.at(*place, "closing"):
                one_of(closing, "closing", CLOSINGS)
        if not isinstance(vary, Mapping):
            self.faults.expect((*place, "vary"), repr(vary), "a table of lists")
            return
        fits = self.faults.known(place, given, [*known, *OF_METHOD])
        if not (self.faults.known((*place, "vary"), vary, known) and fits):
            return
        options = {key: value for key, value in given.items() if key not in OF_METHOD}
        lists = [self.faults.values((*place, "vary"), vary, key) for key in vary]
        for values in itertools.product(*lists):
            varied = dict(zip(vary, values, strict=True))
            label = ", ".join([name, *(f"{key} = {value}" for key, value in varied.items())])
            with self.faults.at(*place):
                made = {key: _option(key, value) for key, value in {**options, **varied}.items()}
                yield Method(name, label, method, made, closing)


def _partial(function: Callable[..., Any], options: Mapping[str, Any]) -> Callable[..., Any]:
    return lambda *given: function(*given, **options)


def options_of(method: str) -> list[str]:
    """Return the names of the options of a method of `attack` and of `solve_bilevel`."""
    if method == RAY:
        return ["points"]
    own = [LOWER, *UPPER_METHODS[method].options] if method in UPPER_METHODS else []
    if method in BILEVEL:
        own += [name for name in keywords(solve_bilevel) if name not in ("seed", "time_limit")]
    return list(dict.fromkeys(own))


def _option(key: str, value: Any) -> Any:
    """Return an option; a table of relaxations and widths is a schedule."""
    if key == "schedule" and isinstance(value, Mapping):
        if set(value) != {"relaxations", "widths"}:
            raise ArgumentError("schedule", repr(dict(value)), "relaxations and widths")
        return Schedule.of(**value)
    return value
