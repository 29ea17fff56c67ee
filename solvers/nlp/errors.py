"""Errors of the IPOPT adapter that a user can mend."""

from __future__ import annotations

REMEDY = (
    "get one with `pip install casadi`, `conda install -c conda-forge ipopt` "
    "or `idaes get-extensions`"
)


class EngineError(RuntimeError):
    """An engine that cannot run: which one, why, and how to get one."""

    def __init__(self, engine: str, cause: str) -> None:
        super().__init__(f"{engine}: {cause}; {REMEDY}")


class OptionError(ValueError):
    """An option that IPOPT refuses: its name and the engine's own words."""

    def __init__(self, name: str, value: object, cause: str) -> None:
        super().__init__(f"options: IPOPT refuses {name!r} = {value!r}: {cause}")
