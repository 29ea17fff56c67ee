"""The definitions of a specification: data, learning models, perturbations, and methods."""

from __future__ import annotations

import inspect
import itertools
import pickle
from collections.abc import Callable, Iterator, Mapping
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
# Options of IPOPT that name a file to write, to read further options from, or to load as a library.
OF_FILES = {"output_file", "option_file_name", "hsllib", "pardisolib"}
LOWER = "lower"  # an option of `attack` that every method has


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


def _sample(source: Callable[..., Sample], rng: np.random.Generator, /, **options: Any) -> Sample:
    held = {key: options.pop(key) for key in keywords(split) if key in options}
    return split(source(rng, **options), rng, **held)


def _model(learner: Callable[..., LearningModel], sample: Sample, /, **options: Any) -> list[Any]:
    """Return a model, and the validation and the test points of a linear one."""
    found: list[Any] = [learner(sample, **options)]
    for part in (sample.validation, sample.test):
        points = None
        if part is not None and isinstance(found[0], LinearModel):
            points = supervised(part, options.get("target"))
            found[0].read_held_out(points[1], len(points[0]))  # of the classes of the model
        found.append(points)
    return found


def _perturbation(
    change: Callable[..., Perturbation], model: LearningModel, rng: Any, /, **options: Any
) -> Perturbation:
    return change(model, rng, **options).bound_to(model)


MAKERS: Mapping[str, Callable[..., Any]] = {
    "data": _sample,
    "models": _model,
    "perturbations": _perturbation,
}


class Definitions:
    """The definitions without faults; the paths of data files are relative to a folder."""

    def __init__(self, given: Mapping[str, Any], folder: Path, faults: Faults) -> None:
        self.given, self.folder, self.faults = given, folder, faults
        self._samples: dict[tuple[str, int], tuple[Sample | None, Any]] = {}
        self._models: dict[tuple[str, str, int], list[Any] | None] = {}
        self.parts = {kind: dict(self._defined(kind)) for kind in KINDS}
        for name in self.parts["data"]:
            self._drawn(name, 0)
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
                    source = options.get("source")
                    if which == "table" and isinstance(source, str):
                        path = self.folder / source
                        options["source"] = str(path) if path.is_file() else source
                    yield name, partial(MAKERS[kind], function, **options)

    def _fits(self, place: Place, function: Callable[..., Any], options: Mapping[str, Any]) -> bool:
        """Check the keys of a table against the keyword-only parameters of a function."""
        parameters = inspect.signature(function).parameters.values()
        own = [p for p in parameters if p.kind is p.KEYWORD_ONLY]
        missing = [p.name for p in own if p.default is p.empty and p.name not in options]
        for name in missing:
            self.faults.add(place, f"{name!r} is missing")
        able = [*(p.name for p in own), "kind", *(keywords(split) if place[0] == "data" else ())]
        return self.faults.known(place, options, able) and not missing

    def build(self, data: str, model: str, change: str, seed: int) -> Built | None:
        """Return the parts of a combination, None if one has a fault."""
        key, (sample, state) = (data, model, seed), self._drawn(data, seed)
        if sample is None:
            return None
        if key not in self._models:
            self._models[key] = self._part("models", model, sample)
        made = self._models[key]
        if made is None:
            return None
        rng = np.random.default_rng(seed)
        rng.bit_generator.state = state
        free = self._part("perturbations", change, made[0], rng)
        return None if free is None else Built(made[0], free, *made[1:])

    def _drawn(self, data: str, seed: int) -> tuple[Sample | None, Any]:
        """Return the points of a data set, and the state of the random numbers after them."""
        if (data, seed) not in self._samples:
            rng = np.random.default_rng(seed)
            sample = self._part("data", data, rng)
            self._samples[data, seed] = sample, rng.bit_generator.state
        return self._samples[data, seed]

    def _part(self, kind: str, name: str, *given: Any) -> Any:
        """Return a part, None if it has a fault."""
        made = None
        with self.faults.at(kind, name, table=self.given[kind][name]):
            made = self.parts[kind][name](*given)
        return made

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
        for key in set(vary) & set(given):
            self.faults.add((*place, "vary", key), f"{key!r} stands twice, alone and in 'vary'")
        fits = self.faults.known(place, given, [*known, *OF_METHOD])
        if not (self.faults.known((*place, "vary"), vary, known) and fits):
            return
        options = {key: value for key, value in given.items() if key not in OF_METHOD}
        lists = [self.faults.values((*place, "vary"), vary, key) for key in vary]
        for values in itertools.product(*lists):
            varied = dict(zip(vary, values, strict=True))
            label = ", ".join([name, *(f"{key} = {value}" for key, value in varied.items())])
            with self.faults.at(*place, table=given):
                made = {key: _option(key, value) for key, value in {**options, **varied}.items()}
                yield Method(name, label, method, made, closing)


def options_of(method: str) -> list[str]:
    """Return the names of the options of a method of `attack` and of `solve_bilevel`."""
    if method == RAY:
        return ["points"]
    own = [LOWER, *UPPER_METHODS[method].options] if method in UPPER_METHODS else []
    if method in BILEVEL:
        own += [name for name in keywords(solve_bilevel) if name not in ("seed", "time_limit")]
    return list(dict.fromkeys(own))


def _option(key: str, value: Any) -> Any:
    """Return an option; a table of relaxations and widths is a schedule.

    An option by which IPOPT would write a file or load a library is refused: except for the Python
    files that it names, a specification is data only.
    """
    if key == "schedule" and isinstance(value, Mapping):
        if set(value) != {"relaxations", "widths"}:
            raise ArgumentError("schedule", repr(dict(value)), "relaxations and widths")
        return Schedule.of(**value)
    if key == "ipopt_options" and isinstance(value, Mapping):
        for name in set(value) & OF_FILES:
            raise ArgumentError(f"{key} {name}", repr(value[name]), "no file but the store")
    check_pickled(value, key)
    return value


def check_pickled(given: Any, argument: str, mend: str = "") -> None:
    """Raise `ArgumentError` if a problem or an option cannot be sent to another process."""
    try:
        pickle.dumps(given)
    except Exception as error:  # the state of an object can raise anything
        expected = f"a value that can be pickled ({error}){mend}"
        raise ArgumentError(argument, type(given).__name__, expected) from None
