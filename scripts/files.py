"""Files of results: each is written whole or not at all, and errors name it."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from matplotlib.figure import Figure

from bilad.models.validation import ArgumentError

DPI = 150


@contextmanager
def naming_file(path: Path) -> Iterator[None]:
    """Add the name of the file to an OSError; Python omits it if the disk is full."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def check_folder(folder: Path) -> None:
    """Check, without leaving a trace, that files can be written to a folder.

    Raises
    ------
    ArgumentError
        If the path is a file, or lies below one.
    OSError
        If the file system or its permissions do not allow writing.
    """
    nearest = next(one for one in (folder, *folder.absolute().parents) if os.path.lexists(one))
    if not nearest.is_dir():
        raise ArgumentError("out", str(folder), f"a folder; {nearest} is not one")
    with naming_file(folder), tempfile.TemporaryFile(dir=nearest):
        pass


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield a temporary path, which is renamed to `path` at the end of the block.

    Raises
    ------
    OSError
        With the name of the file.
    """
    fresh = path.with_name(f".{platform.node()}-{os.getpid()}.{path.name}")
    try:
        with naming_file(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield fresh
            os.replace(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file."""
    with whole(path) as fresh:
        fresh.write_text(text, encoding="utf-8")


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure; the suffix of the path determines the format."""
    with whole(path) as fresh:
        figure.savefig(fresh, dpi=DPI)
