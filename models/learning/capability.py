"""Capabilities of learning models: functions that are registered by the type of the model.

Methods of the upper level call capabilities and never ask for the type of the model. A user's
learning model can therefore be attacked after registering its own functions, without changes here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch
from typing import Any, Generic, TypeVar

from bilad.models.representation import Represented
from bilad.models.validation import ArgumentError, one_of

R = TypeVar("R")
Function = TypeVar("Function", bound=Callable[..., Any])

CAPABILITIES: dict[str, Capability[Any]] = {}


class CapabilityError(ArgumentError):
    """A function that is registered for a learning model violates its contract."""


class Capability(Represented, Generic[R]):
    """A function that is dispatched on the type of its first argument, a learning model.

    Parameters
    ----------
    name : str
        The name by which `supports` knows the capability.
    default : callable, optional
        The function for types that have registered none.
    needs : Capability, optional
        The capability that the default calls, so that a model without it has no default.

    Raises
    ------
    ArgumentError
        If the name is not a nonempty string, or is that of another capability.
    """

    def __init__(
        self,
        name: str,
        default: Callable[..., R] | None = None,
        needs: Capability[Any] | None = None,
    ) -> None:
        if not isinstance(name, str) or not name or name in CAPABILITIES:
            raise ArgumentError("name", repr(name), "a new name of a capability")
        self.name = name
        self._default, self._needs = default, needs
        self._function = singledispatch(default or self._missing)
        self._refusal = singledispatch(_never)
        CAPABILITIES[name] = self

    def summary(self) -> dict[str, str]:
        """Return the name."""
        return {"name": self.name}

    def register(
        self, kind: type, refusal: Callable[..., str | None] | None = None
    ) -> Callable[[Function], Function]:
        """Return a decorator that registers a function for a type of learning model.

        Parameters
        ----------
        kind : type
        refusal : callable, optional
            Takes a model of this type and the arguments of `refusal`. Returns the reason why the
            function does not apply to them, or None if it applies.
        """

        def decorate(function: Function) -> Function:
            self._function.register(kind, function)
            self._refusal.register(kind, refusal or _never)
            return function

        return decorate

    def is_registered(self, model: Any) -> bool:
        """Return whether a function is registered for the type of the model."""
        return self._function.dispatch(type(model)) is not self._function.dispatch(object)

    def lacking(self, model: Any) -> str | None:
        """Return the name of the capability that the type of the model must register, or None."""
        if self.is_registered(model):
            return None
        if self._default is None:
            return self.name
        return None if self._needs is None else self._needs.lacking(model)

    def supports(self, model: Any) -> bool:
        """Return whether the capability can be called for the model."""
        return self.lacking(model) is None

    def require(self, model: Any) -> None:
        """Raise `ArgumentError` if the capability cannot be called for the model."""
        name = self.lacking(model)
        if name is not None:
            expected = f"a learning model for which {name!r} is registered"
            raise ArgumentError("model", type(model).__name__, expected)

    def refusal(self, model: Any, *arguments: Any) -> str | None:
        """Return why the capability is missing or does not apply to the arguments, or None."""
        name = self.lacking(model)
        if name is not None:
            return f"it needs {name!r}, which is not registered for {type(model).__name__}"
        reason: str | None = self._refusal(model, *arguments)
        return reason

    def __call__(self, model: Any, *arguments: Any, **options: Any) -> R:
        """Call the function for the type of the model.

        Raises
        ------
        ArgumentError
            If there is no such function.
        """
        result: R = self._function(model, *arguments, **options)
        return result

    def _missing(self, model: Any, *arguments: Any, **options: Any) -> Any:
        self.require(model)


def _never(model: Any, *arguments: Any) -> str | None:
    return None


def supports(model: Any, name: str) -> bool:
    """Return whether a learning model has the capability of this name.

    Parameters
    ----------
    model : LearningModel
    name : str
        One of `CAPABILITIES`.

    Raises
    ------
    ArgumentError
        If there is no capability of this name.
    """
    return CAPABILITIES[one_of(name, "name", CAPABILITIES)].supports(model)
