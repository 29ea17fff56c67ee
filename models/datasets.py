"""The data sets of the experiments, and any table.

Iris, Wine and digits come with scikit-learn. Seeds (UCI 236; Charytanowicz et al., 2010; CC BY 4.0)
is fetched from its public home once, kept in a cache folder, and checked value by value.
"""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from platformdirs import user_cache_path

from bilad.models.table import FILES, Dataset, DatasetError, is_frame, read_file, read_frame
from bilad.models.validation import ArgumentError, FloatArray, real_array

if TYPE_CHECKING:
    from pandas import DataFrame

SEEDS_URL = "https://archive.ics.uci.edu/static/public/236/seeds.zip"
SEEDS_FEATURES = (
    "area", "perimeter", "compactness", "length", "width", "asymmetry", "groove",
)  # fmt: skip
# Of the 210 x 8 values times 10,000, as little-endian 64-bit integers in row-major order.
SEEDS_SHA256 = "3c89e9979e5d195740c39fcf9e9d4a6dde490a5da20ba19ee985a4aebeb31f26"
BUNDLED = ("iris", "wine", "digits")
KNOWN = (
    "'iris', 'wine', 'digits', 'seeds', the path of a file "
    f"({', '.join(FILES)}), or a data frame of pandas"
)


def load_dataset(
    name: str | Path | DataFrame,
    folder: str | Path | None = None,
    *,
    header: bool | None = None,
    label: str | int | None = None,
) -> Dataset:
    """Load a data set by name, or a table from a file or a data frame.

    Parameters
    ----------
    name : {"iris", "wine", "digits", "seeds"}, path of a file, or DataFrame
        A file of text (.csv, .tsv, .txt, .data), a Parquet file (.parquet), or an array (n, d) of
        NumPy's (.npy, without pickled objects). One row per point; every column but that of the
        labels must be numeric, without gaps.
    folder : path, optional
        Where to look for `seeds.csv` (header, seven features, `variety`) or UCI's own
        `seeds_dataset.txt` instead of fetching it; by default the folder named by the environment
        variable BILAD_DATA, then the user's cache folder.
    header : bool, optional
        Of a file of text: whether its first row names the columns. By default it does, and a first
        row with a number is refused. False: the columns are named by their places, "0", "1", ...
    label : str or int, optional
        The column of the classes, by its name or its place in the table, from 0, or from -1
        backwards. By default the one called label, class, target, variety or species, if any.

    Returns
    -------
    Dataset

    Raises
    ------
    ArgumentError
        If the name or the label is not known, the file does not exist, or an argument is for other
        sources.
    DatasetError
        If a file cannot be read, with the row and the column at fault, or Seeds cannot be fetched
        or is not the published table.

    Notes
    -----
    Text files are read as follows.

    - The encoding is that of the byte order mark, else UTF-16 or UTF-8 if the file is valid, else
      Windows-1252 or Latin-1.
    - Fields are separated by tabs, semicolons, commas, bars or white space, whichever gives most
      rows as many fields as the first; quotes are those of RFC 4180. Rows without any entry are
      skipped.
    - Unless fields are separated by commas, numbers may have decimal commas, throughout. Separators
      of thousands are not read.
    - A first column without a name that counts the rows, from 0 or 1, is the index that pandas or
      R wrote, and left out. Other columns need a name, which may occur twice.
    - A label that is empty, ?, NA, N/A, NaN or null is missing. Labels that are all numbers are
      compared as numbers.
    """
    if is_frame(name):
        _refuse(header=header)
        return read_frame(name, label, "table", "data frame")
    if not isinstance(name, str | Path):
        raise ArgumentError("name", repr(name), KNOWN)
    if Path(name).suffix.lower() in FILES:
        return read_file(Path(name), header, label)
    _refuse(header=header, label=label)
    if name == "seeds":
        return _load_seeds(folder)
    if name not in BUNDLED:
        raise ArgumentError("name", repr(name), KNOWN)
    import sklearn.datasets  # slow to import

    bunch = getattr(sklearn.datasets, f"load_{name}")()
    return Dataset(
        str(name),
        real_array(bunch.data, "data", (None, None)),
        tuple(map(str, bunch.feature_names)),
        bunch.target.astype(np.int64),
    )


def _refuse(**arguments: object) -> None:
    """Refuse arguments that only files and frames take."""
    for argument, given in arguments.items():
        if given is not None:
            raise ArgumentError(argument, repr(given), "None, but for a file")


def _load_seeds(folder: str | Path | None) -> Dataset:
    chosen = folder or os.environ.get("BILAD_DATA")
    home = Path(chosen) if chosen else user_cache_path("bilad")
    if not chosen and not (home / "seeds_dataset.txt").is_file():
        _fetch_seeds(home)
    for file, separator, header in (("seeds.csv", ",", 1), ("seeds_dataset.txt", None, 0)):
        if (home / file).is_file():
            lines = (home / file).read_text().splitlines()[header:]
            table = _parse_seeds(lines, separator, home / file)
            data = real_array(table[:, :-1], "data", (None, None))
            return Dataset("seeds", data, SEEDS_FEATURES, table[:, -1].astype(np.int64) - 1)
    raise DatasetError(f"seeds: neither seeds.csv nor seeds_dataset.txt is in {home}")


def _fetch_seeds(home: Path) -> None:
    import urllib.request  # slow to import
    import zipfile

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
