"""Files are whole or not written, and errors name them."""

import os
import resource

import pytest
from matplotlib.figure import Figure

from bilad.models import ArgumentError
from bilad.scripts.files import check_folder, save_figure, write_text

LONG = "after" * 200
WRITES = {
    "text": lambda path: write_text(path, LONG),
    "figure": lambda path: save_figure(Figure(), path),
}


@pytest.fixture
def small_files():
    """Limit files to 300 bytes, so that writing more fails as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("kind", WRITES)
def test_a_file_is_whole_or_as_it_was(kind, tmp_path, small_files):
    path = tmp_path / "some.svg"
    write_text(path, "before")
    with pytest.raises(OSError, match="too large") as caught:
        WRITES[kind](path)
    assert caught.value.filename == str(path)
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["some.svg"]


def test_a_file_in_a_new_folder(tmp_path):
    write_text(tmp_path / "new" / "some.txt", "text")
    assert (tmp_path / "new" / "some.txt").read_text() == "text"


def test_a_folder_is_looked_at_without_a_trace(tmp_path):
    (tmp_path / "taken").touch()
    (tmp_path / "taken_loop").symlink_to("taken_loop")
    check_folder(tmp_path / "new" / "folder")
    assert sorted(os.listdir(tmp_path)) == ["taken", "taken_loop"]
    for wrong in (tmp_path / "taken", tmp_path / "taken" / "within", tmp_path / "taken_loop"):
        with pytest.raises(ArgumentError, match="out: got .*taken.*, expected a folder"):
            check_folder(wrong)
