"""The data sets of the experiments, and any table in a CSV file.

Iris, Wine and digits come with scikit-learn. Seeds (UCI 236; Charytanowicz et al., 2010; CC BY 4.0)
is fetched from its public home once, kept in a cache folder, and checked value by value.
"""

from __future__ import annotations

import hashlib
import io
import os
import urllib.request
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sklearn.datasets
from platformdirs import user_cache_path

from bilad.models.validation import ArgumentError, FloatArray, IntArray, real_array

SEEDS_URL = "https://archive.ics.uci.edu/static/public/236/seeds.zip"
SEEDS_FEATURES = (
    "area", "perimeter", "compactness", "length", "width", "asymmetry", "groove",
)  # fmt: skip
# Of the 210 x 8 values times 10,000, as little-endian 64-bit integers in row-major order.
SEEDS_SHA256 = "3c89e9979e5d195740c39fcf9e9d4a6dde490a5da20ba19ee985a4aebeb31f26"
LABEL_COLUMNS = ("label", "labels", "class", "target", "variety", "species")


class DatasetError(ValueError):
    """A data set that could not be read, fetched or verified."""


@dataclass(frozen=True)
class Dataset:
    """A table of points.

    Attributes
    ----------
    name : str
    data : ndarray, shape (n, d)
        One row per point, float64, in the source's own units.
    feature_names : tuple of str
        d names.
    labels : ndarray of int, shape (n,), or None
        The known classes, numbered 0, 1, .. in the order of their names.
    """

    name: str
    data: FloatArray
    feature_names: tuple[str, ...]
    labels: IntArray | None


def load_dataset(name: str | Path, folder: str | Path | None = None) -> Dataset:
    """Load a data set by name, or a table from a CSV file.

    Parameters
    ----------
    name : {"iris", "wine", "digits", "seeds"} or path of a .csv file
        A CSV file has one header line; a column called label, class, target, variety or species
        holds the classes, every other column must be numeric.
    folder : path, optional
        Where to look for `seeds.csv` (header, seven features, `variety`) or UCI's own
        `seeds_dataset.txt` instead of fetching it; by default the folder named by the environment
        variable BILAD_DATA, then the user's cache folder.

    Raises
    ------
    ArgumentError
        If the name is not known or the file does not exist.
    DatasetError
        If a file cannot be read, or Seeds cannot be fetched or is not the published table.
    """
    if not isinstance(name, str | Path):
        raise ArgumentError("name", repr(name), "a name, or the path of a .csv file")
    if str(name).lower().endswith(".csv"):
        return _read_csv(Path(name))
    if name == "seeds":
        return _load_seeds(folder)
    bundled = {
        "iris": sklearn.datasets.load_iris,
        "wine": sklearn.datasets.load_wine,
        "digits": sklearn.datasets.load_digits,
    }
    if name not in bundled:
        raise ArgumentError(
            "name", repr(name), "'iris', 'wine', 'digits', 'seeds' or the path of a .csv file"
        )
    bunch = bundled[str(name)]()
    return _dataset(str(name), bunch.data, bunch.feature_names, bunch.target)


def _dataset(name: str, data: object, features: Sequence[str], labels: object | None) -> Dataset:
    numbers = None
    if labels is not None:
        numbers = np.unique(np.asarray(labels), return_inverse=True)[1].astype(np.int64)
    values = real_array(np.asarray(data), name, (None, len(features)))
    return Dataset(name, values, tuple(map(str, features)), numbers)


def _read_csv(path: Path) -> Dataset:
    if not path.is_file():
        raise ArgumentError("name", repr(str(path)), "a file that exists")
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    if not lines:
        raise DatasetError(f"{path}: got an empty file, expected a header line and rows")
    try:
        table = np.loadtxt(lines, dtype=str, delimiter=",", ndmin=2, comments=None)
    except ValueError as cause:
        raise DatasetError(f"{path}: {cause}") from None
    header, rows = [title.strip().strip('"') for title in table[0]], table[1:]
    is_label = np.array([title.lower() in LABEL_COLUMNS for title in header])
    if len(rows) == 0 or is_label.sum() > 1 or is_label.all():
        raise DatasetError(
            f"{path}: got {len(rows)} rows under the header {header}, expected a header line, then "
            f"numeric columns and at most one of {', '.join(LABEL_COLUMNS)}"
        )
    try:
        data = real_array(rows[:, ~is_label].astype(float), "data", (None, None))
    except ValueError as cause:
        raise DatasetError(
            f"{path}: {cause}; expected numbers, finite, in every column but the label"
        ) from None
    features = [title for title, label in zip(header, is_label, strict=True) if not label]
    labels = np.char.strip(rows[:, is_label].ravel()) if is_label.any() else None
    return _dataset(path.stem, data, features, labels)


def _load_seeds(folder: str | Path | None) -> Dataset:
    chosen = folder or os.environ.get("BILAD_DATA")
    home = Path(chosen) if chosen else user_cache_path("bilad")
    if not chosen and not (home / "seeds_dataset.txt").is_file():
        _fetch_seeds(home)
    for file, separator, header in (("seeds.csv", ",", 1), ("seeds_dataset.txt", None, 0)):
        if (home / file).is_file():
            lines = (home / file).read_text().splitlines()[header:]
            table = _parse_seeds(lines, separator, home / file)
            return _dataset("seeds", table[:, :-1], SEEDS_FEATURES, table[:, -1])
    raise DatasetError(f"seeds: neither seeds.csv nor seeds_dataset.txt is in {home}")


def _fetch_seeds(home: Path) -> None:
    try:
        with urllib.request.urlopen(SEEDS_URL, timeout=30) as answer:
            archive = zipfile.ZipFile(io.BytesIO(answer.read()))
        content = archive.read("seeds_dataset.txt")
    except (OSError, KeyError, zipfile.BadZipFile) as cause:
        raise DatasetError(
            f"seeds: could not fetch {SEEDS_URL} ({cause}); download it by hand, and name the "
            "folder that holds seeds_dataset.txt by `folder` or the variable BILAD_DATA"
        ) from None
    _parse_seeds(content.decode().splitlines(), None, SEEDS_URL)
    home.mkdir(parents=True, exist_ok=True)
    (home / "seeds_dataset.txt").write_bytes(content)


def _parse_seeds(lines: list[str], separator: str | None, source: object) -> FloatArray:
    """Read the table and check that it is the published one, value by value."""
    try:
        table = np.loadtxt(lines, delimiter=separator)
        fixed_point = real_array(table * 1e4, "values", (210, 8)).round().astype("<i8")
    except ValueError as cause:
        raise DatasetError(f"{source}: not the published table: {cause}") from None
    digest = hashlib.sha256(fixed_point.tobytes()).hexdigest()
    if digest != SEEDS_SHA256:
        raise DatasetError(
            f"{source}: not the published table: got checksum {digest}, expected {SEEDS_SHA256}"
        )
    return table
