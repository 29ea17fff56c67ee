"""What a command works on: a learning model, a perturbation, and the problems (BL1) and (BL2).

The options of the command line are turned into the tables of a specification (docs/experiments.md),
whose parts make the model and the perturbation.
"""

from __future__ import annotations

import hashlib
import math
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np

from bilad.models import (
    ArgumentError,
    BilevelProblem,
    ConvexClustering,
    FusionGraph,
    LearningModel,
    MaxDeviation,
    MinPerturbation,
    Perturbation,
)
from bilad.models.validation import one_of
from bilad.scripts.experiments.definitions import MAKERS
from bilad.scripts.experiments.parts import MODELS, PERTURBATIONS, Sample, table
from bilad.scripts.experiments.versions import versions
from bilad.scripts.options import DataOptions, PerturbationOptions
from bilad.solvers.upper.method import keywords

CLUSTERING = "convex clustering"
KINDS = {"clustering": CLUSTERING, "ridge": "ridge", "logistic": "logistic", "svm": "svm"}
GRAPHS = {"knn": ("neighbours", "phi"), "complete": ("weight",)}
NEIGHBOURS = 10
OF_CLASSES = "changed-predictions"  # the default deviation of models of classes
BUDGET, TARGET = 1.0, 2.0
OF_DATA = tuple(one.name for one in fields(DataOptions))
SHOWN = ("rows", "columns", "scale")  # in sentences
QUESTION = ("norm", "budget", "target", "deviation")
OF_PERTURBATION = tuple(
    one.name for one in fields(PerturbationOptions) if one.name not in (*QUESTION, "kind")
)
# Arguments of the package, and keys of a specification, that a command calls otherwise.
NAMES = dict.fromkeys(("name", "source", "A"), "data") | {
    "k": "neighbours",
    "max_solves": "solves",
    "time_limit": "seconds",
    "keyword": "--option",
    "perturbation": "kind",
}
SMALL = 1e-6
TOO_FAR = (
    f"the largest weight exp(-phi ||a_i - a_j||^2) of most points is less than {SMALL:g}, so that "
    "they fuse only for huge gamma: --standardise, or a smaller --phi or --scale, changes this"
)
OF_MODEL = {"target": "target_column", "kind": "label"}


@dataclass(frozen=True)
class Subject:
    """A learning model of a data set, a perturbation, and (BL1) and (BL2).

    Attributes
    ----------
    data : str
        The name of the data set, or the path of the file.
    given : mapping
        The options that were given on the command line.
    options : mapping
        These, and those of the setting that `data` stands for.
    unit : str
        The unit of the data, if it is known.
    varied : collection of str
        Options of the model that take several values, none of which is told.
    """

    data: str
    given: Mapping[str, Any]
    options: Mapping[str, Any]
    unit: str = ""
    varied: Collection[str] = ()

    @property
    def name(self) -> str:
        """The name of the data without folder and suffix."""
        return Path(self.data).stem

    @property
    def kind(self) -> str:
        """The learning model as on the command line."""
        chosen: str = one_of(self.options.get("model", "clustering"), "model", KINDS)
        return chosen

    @cached_property
    def data_table(self) -> Mapping[str, Any]:
        """The data in a specification."""
        return {"source": self.data} | _part(self.options, OF_DATA)

    @cached_property
    def sample(self) -> Sample:
        """The points."""
        with option_names():
            made: Sample = MAKERS["data"](table, np.random.default_rng(0), **self.data_table)
        return made

    @cached_property
    def model_table(self) -> Mapping[str, Any]:
        """The learning model in a specification."""
        options, kind = self.options, self.kind
        if kind != "clustering":
            own = _part(options, [key for key in keywords(MODELS[kind]) if key != "target"])
            if "target_column" in options:
                own["target"] = options["target_column"]
            return {"kind": kind, **own}
        if "gamma" not in options:
            expected = f"a number, such as `bilad path {self.data}` suggests"
            raise ArgumentError("gamma", "nothing", expected)
        graph = one_of(options.get("weights", "knn"), "weights", GRAPHS)
        own = _part(options, ("gamma", "p", *GRAPHS[graph]))
        if graph == "knn":  # a small data set has fewer neighbours
            own.setdefault("neighbours", max(1, min(NEIGHBOURS, len(self.sample.data) - 1)))
        elif own.get("weight", "1/n") != "1/n":
            own["weight"] = _number(own["weight"], "weight")
        return {"kind": CLUSTERING, **own}

    @cached_property
    def model(self) -> LearningModel:
        """The learning model."""
        options = dict(self.model_table)
        with option_names(**OF_MODEL):
            made = MODELS[options.pop("kind")](self.sample, **options)
        if "neighbours" in options and _largest_weight(cast(ConvexClustering, made).graph) < SMALL:
            warnings.warn(TOO_FAR, stacklevel=2)
        return made

    @cached_property
    def perturbation_table(self) -> Mapping[str, Any]:
        """The perturbation in a specification."""
        kind = one_of(self.options.get("kind", "additive"), "kind", PERTURBATIONS)
        return {"kind": kind} | _part(self.options, OF_PERTURBATION)

    @cached_property
    def perturbation(self) -> Perturbation:
        """The perturbation."""
        options = dict(self.perturbation_table)
        with option_names():
            change = PERTURBATIONS[options.pop("kind")]
            made: Perturbation = MAKERS["perturbations"](
                change, self.model, np.random.default_rng(0), **options
            )
        return made

    @property
    def norm(self) -> str | float:
        """The norm of eps."""
        given = self.options.get("norm")
        if given is None:
            return "count" if self.perturbation_table["kind"] == "flips" else 2.0
        return "count" if given == "count" else _number(given, "norm")

    @property
    def deviation(self) -> str:
        """The name of the deviation function."""
        if self.kind == "clustering":
            default = "delta"
        else:
            default = "validation-loss" if "target_column" in self.options else OF_CLASSES
        return str(self.options.get("deviation", default))

    @cached_property
    def bl1(self) -> MaxDeviation:
        """(BL1)."""
        budget = self.options.get("budget", BUDGET)
        with option_names():
            return MaxDeviation(self.model, self.perturbation, budget, self.norm, self.deviation)

    @cached_property
    def bl2(self) -> MinPerturbation:
        """(BL2); ||eps|| is at most the budget, if there is one."""
        target, limit = self.options.get("target", TARGET), self.options.get("budget")
        how = self.norm, self.deviation, limit
        with option_names():
            return MinPerturbation(self.model, self.perturbation, target, *how)

    @cached_property
    def problems(self) -> dict[str, BilevelProblem]:
        """(BL1), unless only a target is given, and (BL2) if there is a target."""
        found: dict[str, BilevelProblem] = {}
        if "budget" in self.options or "target" not in self.options:
            found["BL1"] = self.bl1
        if "target" in self.options:
            found["BL2"] = self.bl2
        return found

    @property
    def problem(self) -> BilevelProblem:
        """(BL2) if a target was given, else (BL1)."""
        return self.bl2 if "target" in self.given else self.bl1

    @property
    def specification(self) -> dict[str, Any]:
        """The data, the learning model, the perturbation and the problems as a specification."""
        names = {"data": self.name, "models": self.kind, "perturbations": "own"}
        problem = {**names, "norms": self.norm, "deviations": self.deviation}
        if "BL1" in self.problems:
            problem["budgets"] = self.bl1.budget
        if "BL2" in self.problems:
            problem["targets"] = self.bl2.target
        if "budget" in self.options:
            problem["limit"] = self.options["budget"]
        tables = self.data_table, self.model_table, self.perturbation_table
        parts = {part: {name: own} for (part, name), own in zip(names.items(), tables, strict=True)}
        return {**parts, "problems": [problem]}

    def refuse_without_effect(self) -> None:
        """Raise `ArgumentError` for an option that has no effect with the others."""
        kind, options = self.kind, self.options
        graph = options.get("weights", "knn")
        if kind == "clustering":
            able, where = ("gamma", "p", "weights", *GRAPHS.get(graph, ())), f"--weights {graph}"
        else:
            able, where = tuple(keywords(MODELS[kind])), f"--model {kind}"
            able += ("target_column",) if "target" in able else ()
        change = options.get("kind", "additive")
        of_change = keywords(PERTURBATIONS[change]) if change in PERTURBATIONS else OF_PERTURBATION
        for name, value in options.items():
            if name in OF_PERTURBATION:
                known, instead = name in of_change, f"--kind {change}"
            else:
                known, instead = name in (*OF_DATA, *QUESTION, "kind", "model", *able), where
            if not known:
                raise ArgumentError(name, value, f"no such option with {instead}")

    def record(self, command: str, result: Mapping[str, Any]) -> dict[str, Any]:
        """Return the file of a result: how it was obtained, and the result."""
        sample = self.sample
        file = Path(self.data)
        digest = hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else None
        about = {
            "source": self.data,
            "sha256": digest,
            "points": len(sample.data),
            "features": None if sample.features is None else list(sample.features),
            "standardised": "standardise" in self.options,
        }
        return {
            "command": command,
            "subject": self.describe(),
            "data": about,
            "options": {
                name: "inf" if value == math.inf else value
                for name, value in self.options.items()
                if name not in self.varied
            },
            "versions": versions(),
            "result": result,
        }

    def describe(self, perturbed: bool = False) -> str:
        """Return the data and the model, and the perturbation if it is asked for, in a sentence."""
        model = {name: own for name, own in self.model_table.items() if name not in self.varied}
        n, d = self.sample.data.shape
        words = _words(_part(self.data_table, SHOWN), " ")
        words += ["standardised"] if "standardise" in self.options else []
        name = f"{self.data} ({', '.join(words)})" if words else self.data
        parts = [f"{name}: {n} points, {counted(d, 'feature')}", _sentence(model)]
        if perturbed:
            parameters = counted(self.perturbation.dim, "parameter")
            parts += [f"{_sentence(self.perturbation_table)}, {parameters}"]
        return " ".join("; ".join(parts).split())  # a name may have several lines


def _largest_weight(graph: FusionGraph) -> float:
    """Return the median over the points of the largest weight of their edges."""
    largest = np.zeros(graph.n)
    for end in graph.edges.T:
        np.maximum.at(largest, end, graph.weights)
    return float(np.median(largest))


def given_options(groups: Sequence[Any]) -> dict[str, Any]:
    """Return the options of groups that differ from the default."""
    every = [(one, getattr(group, one.name)) for group in groups for one in fields(group)]
    return {one.name: value for one, value in every if value is not one.default}


def arguments(*groups: Any) -> list[str]:
    """Return the words of a command line that give these options."""
    words = []
    for name, value in given_options(groups).items():
        option = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            words.append(option if value else option.replace("--", "--no-", 1))
        else:
            words += [option, str(value)]
    return words


@contextmanager
def option_names(**names: str) -> Iterator[None]:
    """Give an error within the block the name of the option that is wrong.

    Parameters
    ----------
    **names
        Options of arguments that are called otherwise, beside `NAMES`.
    """
    try:
        yield
    except ArgumentError as error:
        word, _, rest = error.argument.partition(" ")
        name = {**NAMES, **names}.get(word, word)
        raise ArgumentError(f"{name} {rest}".strip(), error.given, error.expected) from None


def _part(options: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    return {name: options[name] for name in names if name in options}


def _number(text: Any, name: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ArgumentError(name, repr(text), "a number") from None


def _sentence(part: Mapping[str, Any]) -> str:
    """Return the kind of a part of a specification, and the values of its keys."""
    keys = {name: value for name, value in part.items() if name != "kind"}
    return ", ".join([str(part["kind"]), *_words(keys, " = ")])


def _words(values: Mapping[str, Any], sign: str) -> list[str]:
    """Return values with their names."""
    shown = {
        name: f"{value:g}" if isinstance(value, float) else value for name, value in values.items()
    }
    return [f"{name}{sign}{value}" for name, value in shown.items()]


def counted(number: int, noun: str) -> str:
    """Return a number with a noun in the singular or the plural."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
