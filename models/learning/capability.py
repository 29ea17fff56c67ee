"""What a learning model can do, registered by its type.

A method of the upper level asks for what it needs, and never for the type of the model. A learning
model of your own is therefore attacked without any change here: register what it can do.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch
from typing import Any, Generic, TypeVar

from bilad.models.validation import ArgumentError, one_of

R = TypeVar("R")
Function = TypeVar("Function", bound=Callable[..., Any])

CAPABILITIES: dict[str, Capability[Any]] = {}


class CapabilityError(ArgumentError):
    """What is registered for a learning model does not keep to the contract."""


class Capability(Generic[R]):
    """A function whose first argument, a learning model, decides by its type what is called.

    Parameters
    ----------
    name : str
        By which `supports` knows it.
    default : callable, optional
        What is called for a type that has registered nothing.
    needs : Capability, optional
        Without which the default cannot be called.
    """

    def __init__(
        self,
        name: str,
        default: Callable[..., R] | None = None,
        needs: Capability[Any] | None = None,
    ) -> None:
        self.name = name
        self._default, self._needs = default, needs
        self._function = singledispatch(default or self._missing)
        self._refusal = singledispatch(_never)
        CAPABILITIES[name] = self

    def register(
        self, kind: type, refusal: Callable[..., str | None] | None = None
    ) -> Callable[[Function], Function]:
        """Return a decorator that registers a function for a type of learning model.

        Parameters
        ----------
        kind : type
        refusal : callable, optional
            Says, for a model of this type and the arguments that `refusal` is given, why the
            function does not apply, or returns None.
        """

        def decorate(function: Function) -> Function:
            self._function.register(kind, function)
            self._refusal.register(kind, refusal or _never)
            return function

        return decorate

    def is_registered(self, model: Any) -> bool:
        """Say whether the type of a learning model has registered this capability."""
        return self._function.dispatch(type(model)) is not self._function.dispatch(object)

    def lacking(self, model: Any) -> str | None:
        """Return the name of what has to be registered for the type of the model, or None."""
        if self.is_registered(model):
            return None
        if self._default is None:
            return self.name
        return None if self._needs is None else self._needs.lacking(model)

    def supports(self, model: Any) -> bool:
        """Say whether a learning model has this capability."""
        return self.lacking(model) is None

    def require(self, model: Any) -> None:
        """Raise `ArgumentError` if a learning model does not have this capability."""
        name = self.lacking(model)
        if name is not None:
            expected = f"a learning model for which {name!r} is registered"
            raise ArgumentError("model", type(model).__name__, expected)

    def refusal(self, model: Any, *arguments: Any) -> str | None:
        """Say why the capability is missing, or does not apply to the arguments, or None."""
        name = self.lacking(model)
        if name is not None:
            return f"it needs {name!r}, which is not registered for {type(model).__name__}"
        reason: str | None = self._refusal(model, *arguments)
        return reason

    def __call__(self, model: Any, *arguments: Any, **options: Any) -> R:
        """Call what is registered for the type of the model.

        Raises
        ------
        ArgumentError
            If the model does not have this capability.
        """
        result: R = self._function(model, *arguments, **options)
        return result

    def _missing(self, model: Any, *arguments: Any, **options: Any) -> Any:
        self.require(model)


def _never(model: Any, *arguments: Any) -> str | None:
    return None


def supports(model: Any, name: str) -> bool:
    """Say whether a learning model has the capability of that name.

    Parameters
    ----------
    model : LearningModel
    name : str
        A name of `CAPABILITIES`.

    Raises
    ------
    ArgumentError
        If there is no such capability.
    """
    return CAPABILITIES[one_of(name, "name", CAPABILITIES)].supports(model)
