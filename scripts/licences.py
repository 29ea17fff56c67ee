"""`python -m bilad.scripts.licences`: the licences of all direct dependencies."""

from __future__ import annotations

import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution, requires

import pandas as pd
from packaging.requirements import Requirement

from bilad.scripts.display import markdown

LICENCES = {
    "LGPL-3.0": r"LGPL|Lesser General Public",
    "GPL": r"\bA?GPL|^\s*GNU (AFFERO )?GENERAL",
    "Apache-2.0": r"Apache",
    "BSD": r"\bBSD",
    "MIT": r"\bMIT\b",
    "MPL-2.0": r"\bMPL|Mozilla",
    "PSF": r"\bPSF|Python Software Foundation",
}
MISSING = "not installed"


def table() -> pd.DataFrame:
    """Return a row for each direct dependency: its name, its licence, and what needs it."""
    needed: dict[str, str] = {}
    for text in requires("bilad") or []:
        wanted = Requirement(text)
        _, _, extra = str(wanted.marker or "").partition("extra == ")
        if wanted.name != "bilad":
            needed.setdefault(wanted.name, extra.strip('"') or "bilad")
    rows = [(name, licence(name), part) for name, part in needed.items()]
    return pd.DataFrame(rows, columns=["package", "licence", "needed by"])


def licence(name: str) -> str:
    """Return the licence of a package, "not installed", or "unknown".

    Bundled parts of a package, which can have other licences, are not listed.
    """
    try:
        found = distribution(name)
    except PackageNotFoundError:
        return MISSING
    for text in _statements(found):
        known = [one for one, words in LICENCES.items() if re.search(words, text, re.IGNORECASE)]
        if known:
            return " or ".join(known)
    return "unknown"


def _statements(found: Distribution) -> list[str]:
    """Return what the metadata say of the licence, the most reliable first."""
    given = found.metadata
    expression, old = (given.get_all(one, [""])[0] for one in ("License-Expression", "License"))
    own = expression.partition(" AND ")[0]  # then those of bundled parts
    classifiers = [one for one in given.get_all("Classifier", []) if one.startswith("License")]
    files = [found.read_text(f"licenses/{one}") or "" for one in given.get_all("License-File", [])]
    return [own, *classifiers, *(text[:200] for text in [old, *files])]


if __name__ == "__main__":
    print(markdown(table()), end="")
