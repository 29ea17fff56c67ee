"""Data sets: bundled ones, CSV files, and Seeds with and without access to UCI."""

import io
import os
import urllib.error
import zipfile
from pathlib import Path

import numpy as np
import pytest

from bilad.models import ArgumentError, DatasetError, datasets, load_dataset

DATA = os.environ.get("BILAD_DATA")
needs_seeds = pytest.mark.skipif(not DATA, reason="BILAD_DATA names no folder with seeds.csv")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache folder; BILAD_DATA is not set."""
    monkeypatch.delenv("BILAD_DATA", raising=False)
    folder = tmp_path / "cache" / "bilad"
    monkeypatch.setattr(datasets, "user_cache_path", lambda name: folder)
    return folder


@pytest.fixture
def answer(monkeypatch):
    """Return this content for every download; the result is the list of requested addresses."""

    def prepare(content):
        asked = []

        def urlopen(address, timeout=None):
            asked.append(address)
            if isinstance(content, Exception):
                raise content
            return io.BytesIO(content)

        monkeypatch.setattr("urllib.request.urlopen", urlopen)
        return asked

    return prepare


def archive(text, name="seeds_dataset.txt"):
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as bundle:
        bundle.writestr(name, text)
    return memory.getvalue()


def published_rows():
    return np.loadtxt(Path(DATA) / "seeds.csv", delimiter=",", skiprows=1)


def in_layout_of_uci(rows):
    """The published layout: separated by tabs, some of them doubled, without a header."""
    lines = ["\t".join([f"{value:g}" for value in row]) for row in rows]
    lines[7] = lines[7].replace("\t", "\t\t", 1)
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("name", "shape", "counts"),
    [
        ("iris", (150, 4), [50, 50, 50]),
        ("wine", (178, 13), [59, 71, 48]),
        ("breast-cancer", (569, 30), [212, 357]),
        ("digits", (1797, 64), [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]),
    ],
)
def test_bundled_sets(name, shape, counts):
    dataset = load_dataset(name)
    assert dataset.name == name
    assert dataset.data.shape == shape
    assert dataset.data.dtype == np.float64
    assert len(set(dataset.feature_names)) == shape[1]
    assert np.bincount(dataset.labels).tolist() == counts


def test_iris_has_the_published_numbers():
    dataset = load_dataset("iris")
    assert dataset.data[0].tolist() == [5.1, 3.5, 1.4, 0.2]
    assert dataset.labels.tolist() == [0] * 50 + [1] * 50 + [2] * 50


@pytest.mark.parametrize("arguments", [{"header": False}, {"header": True}, {"label": 0}])
def test_arguments_that_are_for_files(arguments):
    (argument,) = arguments
    with pytest.raises(ArgumentError, match=f"^{argument}: got .*, expected nothing, because"):
        load_dataset("iris", **arguments)


@needs_seeds
def test_seeds_from_a_folder():
    dataset = load_dataset("seeds")
    assert dataset.data.shape == (210, 7)
    assert dataset.feature_names[0] == "area"
    assert np.bincount(dataset.labels).tolist() == [70, 70, 70]
    assert (dataset.data[:, 0].min(), dataset.data[:, 0].max()) == (10.59, 21.18)
    assert np.array_equal(load_dataset("seeds", folder=DATA).data, dataset.data)


@needs_seeds
def test_seeds_with_one_wrong_value(tmp_path):
    lines = (Path(DATA) / "seeds.csv").read_text().splitlines()
    (tmp_path / "seeds.csv").write_text("\n".join(lines) + "\n")
    load_dataset("seeds", folder=tmp_path)
    lines[100] = lines[100].replace(lines[100].split(",")[3], "5.1234", 1)
    (tmp_path / "seeds.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(DatasetError, match=r"not the published table.*checksum"):
        load_dataset("seeds", folder=tmp_path)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("1,2,3,4,5,6,7,1\n" * 210, "checksum"),
        ("1,2,3,4,5,6,7,1\n" * 3, r"got shape \(3, 8\)"),
        ("1,2,3,4,5,6,7,1\n1,2\n", "seeds.csv"),
        ("1,2,3,4,5,6,nan,1\n" * 210, "seeds.csv"),
    ],
    ids=["values", "rows", "ragged", "nan"],
)
def test_seeds_that_are_something_else(tmp_path, rows, message):
    (tmp_path / "seeds.csv").write_text("area,b,c,d,e,f,g,variety\n" + rows)
    with pytest.raises(DatasetError, match=message):
        load_dataset("seeds", folder=tmp_path)


def test_seeds_from_a_folder_without_them(tmp_path):
    with pytest.raises(DatasetError, match=r"neither seeds.csv nor seeds_dataset.txt"):
        load_dataset("seeds", folder=tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        urllib.error.URLError("no route"),
        TimeoutError("slow"),
        b"not a zip",
        archive("1", "other.txt"),
    ],
    ids=["no network", "timeout", "no archive", "another file"],
)
def test_seeds_that_cannot_be_fetched(cache, answer, content):
    asked = answer(content)
    with pytest.raises(DatasetError, match=r"seeds.zip.*`folder`"):
        load_dataset("seeds")
    assert asked == [datasets.SEEDS_URL]


@needs_seeds
def test_seeds_are_fetched_once(cache, answer, monkeypatch):
    rows = published_rows()
    asked = answer(archive(in_layout_of_uci(rows)))
    for _ in range(2):
        dataset = load_dataset("seeds")
        assert np.array_equal(dataset.data, rows[:, :7])
        assert dataset.labels.tolist() == (rows[:, 7].astype(int) - 1).tolist()
    assert asked == [datasets.SEEDS_URL]
    assert (cache / "seeds_dataset.txt").is_file()


@needs_seeds
def test_a_bad_download_is_not_kept(cache, answer):
    rows = published_rows()
    answer(archive(in_layout_of_uci(rows + 1)))
    with pytest.raises(DatasetError, match="checksum"):
        load_dataset("seeds")
    answer(archive(in_layout_of_uci(rows)))
    assert np.array_equal(load_dataset("seeds").data, rows[:, :7])


def test_the_target_of_diabetes_is_its_last_column():
    found = load_dataset("diabetes")
    assert (found.data.shape, found.labels) == ((442, 11), None)
    assert found.feature_names[-1] == "progression"
    assert set(found.data[:, -1]) <= set(range(25, 347))
