"""The definitions of a specification: data, learning models, perturbations, and methods."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bilad.formulations.schedule import Schedule
from bilad.models import (
    ArgumentError,
    LearningModel,
    LinearModel,
    MaxDeviation,
    Perturbation,
    changed_predictions,
    validation_loss,
)
from bilad.models.validation import one_of
from bilad.scripts.experiments.faults import Faults
from bilad.scripts.experiments.faults import Path as Place
from bilad.scripts.experiments.parts import (
    MODELS,
    PERTURBATIONS,
    SOURCES,
    HeldOut,
    Sample,
    split,
    supervised,
)
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


@dataclass(frozen=True)
class Method:
    """A method with its options."""

    name: str  # of its table
    label: str  # with the options that vary
    method: str
    options: Mapping[str, Any]
    closing: str | None = None  # None for that of the experiment


@dataclass(frozen=True)
class Built:
    """A learning model and a perturbation, with the held-out points of its data."""

    model: LearningModel
    free: Perturbation
    validation: HeldOut | None = None
    test: HeldOut | None = None

    def deviation(self, name: Any) -> Any:
        """Return a deviation of the model; of predictions for the validation points, if any.

        Raises
        ------
        ArgumentError
            If there is none of this name, or it does not apply to the model.
        """
        chosen = name
        if self.validation is not None and name == "validation-loss":
            chosen = validation_loss(*self.validation)
        elif self.validation is not None and name == "changed-predictions":
            chosen = changed_predictions(self.validation[0])
        return MaxDeviation(self.model, self.free, 1.0, deviation=chosen).deviation


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
        self._models: dict[tuple[str, str, int], tuple[Any, ...]] = {}
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
                    if kind == "data":
                        yield name, _sampler(function, self._with_path(which, options))
                    else:
                        yield name, partial(function, **options)

    def _fits(self, place: Place, function: Callable[..., Any], options: Mapping[str, Any]) -> bool:
        """Check the keys of a table against the keyword-only parameters of a function."""
        parameters = inspect.signature(function).parameters.values()
        own = [p for p in parameters if p.kind is p.KEYWORD_ONLY]
        missing = [p.name for p in own if p.default is p.empty and p.name not in options]
        for name in missing:
            self.faults.add(place, f"{name!r} is missing")
        able = [*(p.name for p in own), "kind", *(keywords(split) if place[0] == "data" else ())]
        return self.faults.known(place, options, able) and not missing

    def _with_path(self, kind: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return options in which the path of a data file is relative to the specification."""
        source = options.get("source")
        if kind == "table" and isinstance(source, str) and (self.folder / source).is_file():
            return {**options, "source": str(self.folder / source)}
        return dict(options)

    def build(self, data: str, model: str, change: str, seed: int) -> Built | None:
        """Return the parts of a combination, None if one has a fault."""
        key, drawn = (data, model, seed), self._sample(data, seed)
        if drawn is None:
            return None
        sample, state = drawn
        if key not in self._models:
            with self._blamed("models", model):
                made = self.parts["models"][model](sample)
                held_out = [
                    self._held_out(model, made, p) for p in (sample.validation, sample.test)
                ]
                self._models[key] = made, *held_out
        if key not in self._models:
            return None
        made, *held_out = self._models[key]
        rng, built = np.random.default_rng(seed), None
        rng.bit_generator.state = state
        with self._blamed("perturbations", change):
            free: Perturbation = self.parts["perturbations"][change](made, rng)
            built = Built(made, free.bound_to(made), *held_out)
        return built

    def _held_out(self, name: str, model: LearningModel, part: Sample | None) -> HeldOut | None:
        """Return held-out points for a linear model."""
        if part is None or not isinstance(model, LinearModel):
            return None
        X, y = supervised(part, self.given["models"][name].get("target"))
        model.read_held_out(y, len(X))  # raises if the training points lack a class
        return X, y

    def _sample(self, data: str, seed: int) -> tuple[Sample, Any] | None:
        """Return the points of a data set, and the state of the random numbers after them."""
        if (data, seed) not in self._samples:
            with self._blamed("data", data):
                rng = np.random.default_rng(seed)
                sample = self.parts["data"][data](rng)
                self._samples[data, seed] = sample, rng.bit_generator.state
        return self._samples.get((data, seed))

    def _blamed(self, kind: str, name: str) -> AbstractContextManager[None]:
        return self.faults.at(kind, name, table=self.given[kind][name])

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
        with self.faults.at(*place, "closing"):
            one_of(given.get("closing", "none"), "closing", CLOSINGS)
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


def _sampler(function: Callable[..., Sample], options: dict[str, Any]) -> Callable[..., Sample]:
    held = {key: options.pop(key) for key in keywords(split) if key in options}
    return lambda rng: split(function(rng, **options), rng, **held)


def options_of(method: str) -> list[str]:
    """Return the names of the options of a method of `attack` and of `solve_bilevel`."""
    if method == RAY:
        return ["points"]
    own = list(UPPER_METHODS[method].options) if method in UPPER_METHODS else []
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
