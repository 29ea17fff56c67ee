"""What the methods of `attack`, of the lower level and of `solve_bilevel` are.

Descriptions, options and references come from the docstrings of the functions that implement the
methods. The problems that a method accepts are found by asking it about small examples.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from bilad.formulations.bilevel_model import DualityModel, KktModel, ValueFunctionModel
from bilad.models import ArgumentError
from bilad.scripts.docstring import docstring
from bilad.scripts.example_problems import clusterings, problems
from bilad.solvers import cluster, solve_bilevel
from bilad.solvers.clustering import LOWER_METHODS
from bilad.solvers.followers.branching import Branching
from bilad.solvers.followers.solve import METHODS as BILEVEL_METHODS
from bilad.solvers.upper import REFORMULATIONS, UPPER_METHODS, refusal
from bilad.solvers.upper.derivative_free import DERIVATIVE_FREE
from bilad.solvers.upper.gradient import GRADIENT
from bilad.solvers.upper.method import UpperMethod, keywords

ATTACK, CLUSTER, BILEVEL = "attack", "cluster", "solve_bilevel"
KINDS: Mapping[str, Mapping[str, UpperMethod]] = {
    "derivative-free": DERIVATIVE_FREE,
    "gradient": GRADIENT,
    "reformulation": REFORMULATIONS,
}
OF_BILEVEL: Mapping[str, Callable[..., Any]] = dict(
    zip(BILEVEL_METHODS, (KktModel, DualityModel, ValueFunctionModel, Branching), strict=True)
)
KEYWORD_ONLY = inspect.Parameter.KEYWORD_ONLY
REFUSED = "refused"
DOCUMENTED = "documented"  # the attribute of our methods with the functions that describe them
SAME = re.compile(r'As for "([\w-]+)"\.')  # an option that another method describes
Asked = Callable[[Any], str | None]  # the reason why a problem is refused, or None


@dataclass(frozen=True)
class Option:
    """An option of a method; `default` is the text of its value."""

    name: str
    type: str
    default: str
    meaning: str


@dataclass(frozen=True)
class Method:
    """A method with its description.

    Attributes
    ----------
    name : str
    function : str
        The function that takes it: "attack", "cluster" or "solve_bilevel".
    kind : str
    needs : tuple of str
        The capabilities that the learning model must have.
    proves_bound : bool
    summary : str
        One line.
    description : list of str
        Paragraphs.
    options : list of Option
    references : str
    """

    name: str
    function: str
    kind: str = ""
    needs: tuple[str, ...] = ()
    proves_bound: bool = False
    summary: str = ""
    description: Sequence[str] = ()
    options: Sequence[Option] = ()
    references: str = ""
    asked: Asked | None = None

    def answers(self) -> dict[str, list[str]]:
        """Return the examples by the answer: the questions that are accepted, or a refusal."""
        found: dict[str, list[str]] = {}
        for example, answer in self._answers():
            found.setdefault(answer, []).append(example)
        return dict(sorted(found.items(), key=lambda one: one[0].startswith(REFUSED)))

    def _answers(self) -> Iterator[tuple[str, str]]:
        if self.asked is None:
            return
        examples = problems() if self.function == ATTACK else clusterings()
        for example, given in examples.items():
            asked = given if isinstance(given, dict) else {"accepted": given}
            reasons = {question: self.asked(problem) for question, problem in asked.items()}
            able = [question for question, reason in reasons.items() if reason is None]
            yield example, " and ".join(able) or f"{REFUSED}: {next(iter(reasons.values()))}"

    def headline(self) -> dict[str, Any]:
        """Return what a list of methods shows."""
        return {
            "name": self.name,
            "function": self.function,
            "kind": self.kind,
            "needs": list(self.needs),
            "proves_bound": self.proves_bound,
            "summary": self.summary,
        }

    def to_dict(self) -> dict[str, Any]:
        """Return all of this as JSON can represent it."""
        return {
            **self.headline(),
            "description": list(self.description),
            "options": [asdict(option) for option in self.options],
            "references": self.references,
            "problems": self.answers(),
        }


def catalogue() -> Iterator[Method]:
    """Yield all methods, also those of plug-ins; of one that cannot be loaded, the reason."""
    for name in UPPER_METHODS:
        try:
            yield _of_attack(name, UPPER_METHODS[name])
        except ArgumentError as error:
            yield Method(name, ATTACK, "plug-in", summary=f"cannot be loaded: {error}")
    for name, lower in LOWER_METHODS.items():
        described = _described((lower.solve, cluster), ["tol", "max_iterations", "time_limit"])
        yield Method(name, CLUSTER, "lower level", asked=lower.refusal, **described)
    for name, conditions in OF_BILEVEL.items():
        described = _described((conditions, solve_bilevel), keywords(solve_bilevel))
        bound = conditions is Branching
        yield Method(name, BILEVEL, "bilevel model", proves_bound=bound, **described)


def _of_attack(name: str, method: UpperMethod) -> Method:
    functions = getattr(method, DOCUMENTED, (method.prepare,))
    return Method(
        name,
        ATTACK,
        _kind(name, method, functions[0]),
        tuple(method.needs),
        method.has_bound,
        asked=partial(refusal, method),
        **_described(functions, method.options),
    )


def _kind(name: str, method: UpperMethod, function: Callable[..., Any]) -> str:
    for kind, known in KINDS.items():
        if name in known:
            return kind
    module = inspect.unwrap(getattr(function, "func", function)).__module__
    if module.split(".")[0] != "bilad":
        return f"plug-in ({module})"
    return "global" if method.has_bound else "search"


def _described(functions: Sequence[Callable[..., Any]], options: Sequence[str]) -> dict[str, Any]:
    """Return what the docstrings of functions say; the first has the summary."""
    found = [docstring(function) for function in functions]
    several = functions[-1] in (cluster, solve_bilevel)  # the text of these is about all methods
    return {
        "summary": found[0].summary,
        "description": [text for one in found[: 1 if several else None] for text in one.paragraphs],
        "references": " ".join(one.references for one in found if one.references),
        "options": [_option(name, functions) for name in options],
    }


def _option(name: str, functions: Sequence[Callable[..., Any]]) -> Option:
    """Return an option as the last function that has it describes it."""
    kind, meaning, default = "", "", None
    for function in functions:
        kind, meaning = docstring(function).parameters.get(name, (kind, meaning))
        parameter = inspect.signature(function).parameters.get(name)
        # A reformulation is made of a model with other defaults than those of `attack`.
        if parameter is not None and (parameter.kind is KEYWORD_ONLY or function is cluster):
            default = parameter.default
            kind = kind or inspect.formatannotation(parameter.annotation).strip("'")
    meant = SAME.match(meaning)
    if meant is not None:
        same = _option(name, getattr(UPPER_METHODS[meant[1]], DOCUMENTED))
        kind, meaning = same.type, " ".join([same.meaning, meaning[meant.end() :]]).strip()
    return Option(name, kind, _text(default), meaning)


def _text(default: Any) -> str:
    if default in (None, ()) or default is inspect.Parameter.empty:
        return ""
    return f"{default:g}" if isinstance(default, float) else repr(default)
