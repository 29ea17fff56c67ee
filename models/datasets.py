"""The data sets of the experiments, and a reader for the user's own tables.

Iris, Wine, digits, breast cancer and diabetes are part of scikit-learn. Seeds (UCI 236;
Charytanowicz et al., 2010; CC BY 4.0) is downloaded once from the UCI repository, stored in a cache
folder, and compared with the published values.
"""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from platformdirs import user_cache_path

from bilad.models.frame import is_frame
from bilad.models.table import FILES, Dataset, DatasetError, read_file, read_frame
from bilad.models.validation import ArgumentError, FloatArray, did_you_mean, real_array

if TYPE_CHECKING:
    from pandas import DataFrame

SEEDS_URL = "https://archive.ics.uci.edu/static/public/236/seeds.zip"
SEEDS_FEATURES = (
    "area", "perimeter", "compactness", "length", "width", "asymmetry", "groove",
)  # fmt: skip
# SHA-256 of the 210 x 8 values times 10,000 as little-endian 64-bit integers in row-major order.
SEEDS_SHA256 = "3c89e9979e5d195740c39fcf9e9d4a6dde490a5da20ba19ee985a4aebeb31f26"
BUNDLED = ("iris", "wine", "digits", "breast-cancer", "diabetes")
NAMES = (*BUNDLED, "seeds")
KNOWN = (
    f"{', '.join(map(repr, NAMES))}, the path of a file "
    f"({', '.join(FILES)}), or a data frame of pandas"
)


def load_dataset(
    name: str | Path | DataFrame,
    folder: str | Path | None = None,
    *,
    header: bool | None = None,
    label: str | int | None = None,
) -> Dataset:
    """Load a data set by its name, or a table from a file or a data frame.

    Parameters
    ----------
    name : str, path of a file, or DataFrame
        "iris", "wine", "digits", "breast-cancer", "diabetes" or "seeds". Diabetes has no classes;
        its last column, "progression", is what regressions predict.
        A file is a text file (.csv, .tsv, .txt, .data), a Parquet file (.parquet), or a NumPy array
        of shape (n, d) without pickled objects (.npy). A table has one row per point. All of its
        columns except the label column must be numeric and have no missing values.
    folder : path, optional
        The folder that contains `seeds.csv` (a header, seven features and `variety`) or UCI's
        `seeds_dataset.txt`. By default it is the folder in the environment variable BILAD_DATA; if
        that is not set, Seeds is downloaded to the user's cache folder.
    header : bool, optional
        Whether the first row of a text file contains the column names. By default it must, and a
        first row that contains a number is an error. If False, the columns are named "0", "1", ...
    label : str or int, optional
        The column that contains the classes, by its name or its index; a negative index counts from
        the last column. A text that is the name of no column can be an index, such as "0". By
        default it is the column called label, labels, class, target, variety or species, if there
        is one.

    Returns
    -------
    Dataset

    Raises
    ------
    ArgumentError
        If the name or the label is not known, the file does not exist, or an argument does not
        apply to this kind of source.
    DatasetError
        If a file cannot be read (the message names the row and the column), or Seeds cannot be
        downloaded or differs from the published table.

    Notes
    -----
    Text files are read as follows.

    - The encoding is given by the byte order mark. Without one it is UTF-16 or UTF-8 if the file is
      valid in it, otherwise Windows-1252 or Latin-1.
    - The separator is the tab, semicolon, comma, vertical bar or white space, whichever gives the
      largest number of rows as many fields as the first row. Quotes follow RFC 4180. Empty rows are
      skipped.
    - If the separator is not the comma, numbers may be written with decimal commas, in the whole
      file. Thousands separators are not supported.
    - A first column that has no name and contains 0, 1, .. or 1, 2, .. is ignored, because pandas
      and R write such an index. All other columns need a name; two columns may have the same name.
    - A label that is empty, ?, NA, N/A, NaN or null is missing. If all labels are numbers, they are
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
        raise ArgumentError("name", repr(name), KNOWN + did_you_mean(str(name), NAMES))
    import sklearn.datasets  # slow to import

    bunch = getattr(sklearn.datasets, f"load_{str(name).replace('-', '_')}")()
    data, names, labels = bunch.data, tuple(map(str, bunch.feature_names)), bunch.target
    if name == "diabetes":
        data, names, labels = np.column_stack([data, labels]), (*names, "progression"), None
    classes = None if labels is None else labels.astype(np.int64)
    return Dataset(str(name), real_array(data, "data", (None, None)), names, classes)


def _refuse(**arguments: object) -> None:
    """Raise `ArgumentError` if an argument that applies only to files or frames is given."""
    for argument, given in arguments.items():
        if given is not None:
            raise ArgumentError(argument, repr(given), "nothing, because this is not a file")


def data_folder() -> Path:
    """Return the folder of Seeds: that in the variable BILAD_DATA, or the user's cache folder."""
    chosen = os.environ.get("BILAD_DATA")
    return Path(chosen) if chosen else user_cache_path("bilad")


def _load_seeds(folder: str | Path | None) -> Dataset:
    if not isinstance(folder, str | Path | None):
        raise ArgumentError("folder", repr(folder), "the path of a folder, or None")
    chosen = folder or os.environ.get("BILAD_DATA")
    home = Path(folder) if folder else data_folder()
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
            f"seeds: could not download {SEEDS_URL} ({cause}); download it by hand, and pass the "
            "folder that contains seeds_dataset.txt as `folder` or in the variable BILAD_DATA"
        ) from None
    _parse_seeds(content.decode().splitlines(), None, SEEDS_URL)
    home.mkdir(parents=True, exist_ok=True)
    (home / "seeds_dataset.txt").write_bytes(content)


def _parse_seeds(lines: list[str], separator: str | None, source: object) -> FloatArray:
    """Read the table and compare its checksum with that of the published table."""
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
