"""The reformulations by name: the conditions that replace the lower level, and their options."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyomo.environ as pyo
from pyomo.common.gc_manager import PauseGC

from bilad.formulations.bilevel_model import (
    BilevelReformulation,
    DualityModel,
    KktModel,
    ValueFunctionModel,
)
from bilad.formulations.complementarity import RELAXATIONS
from bilad.formulations.conditions import Conditions
from bilad.formulations.follower_state import WrittenFollower
from bilad.formulations.kkt import kkt
from bilad.formulations.leader import add_eps
from bilad.formulations.single_level import SingleLevel
from bilad.formulations.value_function import value_function
from bilad.models.learning.capability import Capability
from bilad.models.learning.learning_model import solve
from bilad.models.problem import BilevelProblem
from bilad.models.smooth_deviation import KERNELS
from bilad.models.validation import IntArray, one_of

# duality(learning model, model, problem, unit, baseline, aggregate=False): Conditions.
duality: Capability[Conditions] = Capability("duality")
# contract(learning model, problem, outcomes, rule): the block of each row of the state. The rows of
# a block were equal at every eps at which the outcomes were observed, and the conditions, which
# take the keyword `block_of`, hold them equal.
contract: Capability[IntArray] = Capability("contract")

CONTRACTIONS = ("none", "observed", "neighbours")


@dataclass(frozen=True)
class Formulation:
    """A reformulation of bilevel problems as single-level problems.

    Attributes
    ----------
    replace : Capability
        The capability of the learning model that creates the conditions.
    options : mapping of str to collection
        The options of `replace` and their admissible values.
    of_model : callable(model, **options)
        Reformulates a Pyomo model with blocks `Follower`; see `bilevel_model`.
    """

    replace: Capability[Conditions]
    of_model: Callable[..., BilevelReformulation]
    options: Mapping[str, Collection[Any]] = field(default_factory=dict)

    @property
    def choices(self) -> Mapping[str, Collection[Any]]:
        """All options, with the kernel of the smooth deviation, and their admissible values."""
        return {"kernel": KERNELS, "contraction": CONTRACTIONS, **self.options}

    def check(self, problem: BilevelProblem) -> None:
        """Validate the follower of a problem if the conditions will be derived from it.

        Raises
        ------
        CapabilityError
            See `WrittenFollower`.
        """
        model = problem.model
        if self.replace.lacking(model) is None and not self.replace.is_registered(model):
            leading = pyo.ConcreteModel()
            add_eps(leading, problem)
            WrittenFollower(model, leading, problem)

    def refusal(self, problem: BilevelProblem) -> str | None:
        """Return why the reformulation does not apply to the problem, or None."""
        return problem.deviation.smoothing_refusal() or self.replace.refusal(problem.model, problem)

    def __call__(self, problem: Any, *arguments: Any, **options: Any) -> Any:
        """Reformulate a Pyomo model with followers, or a problem of a learning model.

        Parameters
        ----------
        problem : Pyomo model or BilevelProblem
        *arguments, **options
            Those of `of_model`, or of `of_problem`.

        Returns
        -------
        BilevelReformulation or SingleLevel
            Both have the single-level model as their attribute `model`.
        """
        write = self.of_problem if isinstance(problem, BilevelProblem) else self.of_model
        return write(problem, *arguments, **options)

    of = __call__

    def of_problem(
        self,
        problem: BilevelProblem,
        baseline: Any = None,
        *,
        kernel: str = "exponential",
        contraction: str = "none",
        observed: Sequence[Any] = (),
        reach: float = math.inf,
        **options: Any,
    ) -> SingleLevel:
        """Build the single-level model of a problem of a learning model.

        Parameters
        ----------
        problem : BilevelProblem
            As in `SingleLevel`.
        baseline : Solution, optional
            The lower-level solution at eps = 0; by default the learning model is solved.
        kernel : {"exponential", "rational"}, default "exponential"
            As in `SingleLevel`.
        contraction : {"none", "observed", "neighbours"}, default "none"
            Which rows of the state are held equal. "observed": rows that are equal in the baseline
            and in all observed solutions, except rows whose data eps perturbs. "neighbours": of
            these, only rows that have no edge to a row whose data eps perturbs. The model is exact
            for every eps at which the rows of each block are equal; no proof says which these are.
        observed : sequence of Solution
            Lower-level solutions at eps other than 0.
        reach : float, default inf
            In units of length. A pair of rows is left out of the smooth deviation if it is apart at
            eps = 0, and farther apart than this in all observed solutions.
        **options
            Values of the options of `replace`.

        Raises
        ------
        ArgumentError
            If an option or its value is not known, or the learning model cannot be contracted.
        """
        for name, value in options.items():
            one_of(value, name, self.options[one_of(name, "option", self.options)])
        if baseline is None:
            baseline = solve(problem.model)
        block_of = None
        if one_of(contraction, "contraction", CONTRACTIONS) != "none":
            contract.require(problem.model)
            outcomes = [solution.outcome for solution in (baseline, *observed)]
            block_of = contract(problem.model, problem, outcomes, contraction)
            options = {**options, "block_of": block_of}

        def replace(
            model: pyo.ConcreteModel, problem: BilevelProblem, unit: float, baseline: Any
        ) -> Conditions:
            return self.replace(problem.model, model, problem, unit, baseline, **options)

        with PauseGC():  # the collector would walk through all expressions again and again
            states = [solution.state for solution in (baseline, *observed)]
            built = SingleLevel(problem, baseline, replace, kernel, block_of, states, reach)
        built.model.name = self.replace.name
        return built


KKT = Formulation(kkt, KktModel, {"relaxation": RELAXATIONS})
DUALITY = Formulation(duality, DualityModel, {"aggregate": (False, True)})
VALUE_FUNCTION = Formulation(value_function, ValueFunctionModel)
