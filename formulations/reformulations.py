"""The reformulations by name: the conditions that replace the lower level, and their options."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyomo.environ as pyo

from bilad.formulations.complementarity import RELAXATIONS
from bilad.formulations.conditions import Conditions
from bilad.formulations.kkt import check_follower, kkt
from bilad.formulations.single_level import SingleLevel
from bilad.models.learning.capability import Capability
from bilad.models.problem import BilevelProblem
from bilad.models.smooth_deviation import KERNELS
from bilad.models.validation import one_of

# duality(learning model, model, problem, unit, baseline, aggregate=False): Conditions.
duality: Capability[Conditions] = Capability("duality")
# value_function(learning model, model, problem, unit, baseline): Conditions.
value_function: Capability[Conditions] = Capability("value_function")


@dataclass(frozen=True)
class Formulation:
    """A reformulation of bilevel problems as single-level problems.

    Attributes
    ----------
    replace : Capability
        The capability of the learning model that creates the conditions.
    options : mapping of str to collection
        The options of `replace` and their admissible values.
    check : callable(problem)
        Raises `CapabilityError` if the functions that the learning model registered are unusable.
    """

    replace: Capability[Conditions]
    options: Mapping[str, Collection[Any]] = field(default_factory=dict)
    check: Callable[[BilevelProblem], None] = lambda problem: None

    @property
    def choices(self) -> Mapping[str, Collection[Any]]:
        """All options, with the kernel of the smooth deviation, and their admissible values."""
        return {"kernel": KERNELS, **self.options}

    def refusal(self, problem: BilevelProblem) -> str | None:
        """Return why the reformulation does not apply to the problem, or None."""
        return problem.deviation.smoothing_refusal() or self.replace.refusal(problem.model, problem)

    def __call__(
        self, problem: BilevelProblem, baseline: Any, *, kernel: str = "rational", **options: Any
    ) -> SingleLevel:
        """Build the single-level model.

        Parameters
        ----------
        problem, baseline, kernel
            As in `SingleLevel`.
        **options
            Values of the options of `replace`.

        Raises
        ------
        ArgumentError
            If an option or its value is not known.
        """
        for name, value in options.items():
            one_of(value, name, self.options[one_of(name, "option", self.options)])

        def replace(
            model: pyo.ConcreteModel, problem: BilevelProblem, unit: float, baseline: Any
        ) -> Conditions:
            return self.replace(problem.model, model, problem, unit, baseline, **options)

        built = SingleLevel(problem, baseline, replace, kernel)
        built.model.name = self.replace.name
        return built


KKT = Formulation(kkt, {"relaxation": RELAXATIONS}, check_follower)
DUALITY = Formulation(duality, {"aggregate": (False, True)})
VALUE_FUNCTION = Formulation(value_function)
