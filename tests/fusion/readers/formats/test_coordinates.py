import h5py
import numpy as np
import pytest

from fusion.errors import SiteError
from fusion.readers.bags import BagReader
from fusion.readers.formats.registry import SlideFile
from tests.layouts import places, write_clam_h5, write_stamp, write_trident

SLIDES = {"a": np.arange(12, dtype=np.float32).reshape(4, 3)}


def place(tmp_path, write, kind, change=None):
    """Write one slide, spoil it, and return the coordinates of its patient."""
    folder = write(tmp_path / "features", SLIDES)
    path = next(folder.rglob("a.h5"))
    if change:
        with h5py.File(path, "a") as file:
            change(file)
    return BagReader(((SlideFile(path, kind),), ()), 3).coordinates(0)[0]


@pytest.mark.parametrize(
    ("write", "kind", "unit", "side"),
    [
        (write_clam_h5, "clam-h5", "level0-pixel", 256.0),
        (write_trident, "trident", "level0-pixel", 512.0),
        (write_stamp, "stamp", "micrometre", 256.0),
    ],
)
def test_coordinates_keep_their_unit(tmp_path, write, kind, unit, side):
    found = place(tmp_path, write, kind)
    assert (found.unit, found.patch_size) == (unit, side)
    np.testing.assert_array_equal(found.values, places(4, 256 if kind == "stamp" else 512))


def test_format_without_coordinates_has_none(tmp_path):
    assert place(tmp_path, write_clam_h5, "hipt") is None


def test_file_without_coordinates_has_none(tmp_path):
    assert place(tmp_path, write_trident, "trident", lambda file: file.pop("coords")) is None


def test_unit_that_an_older_stamp_file_does_not_state_is_not_guessed(tmp_path):
    def older(file):
        file.attrs.clear()

    assert place(tmp_path, write_stamp, "stamp", older) is None


def test_patch_size_of_a_coarser_level_is_not_taken_for_level_0(tmp_path):
    def coarser(file):
        file["coords"].attrs["patch_level"] = 1

    assert place(tmp_path, write_clam_h5, "clam-h5", coarser).patch_size is None


@pytest.mark.parametrize(
    ("values", "match"),
    [
        (places(3), r"one finite pair of numbers a patch, 4 x 2, got int64 of shape \(3, 2\)"),
        (np.zeros((4, 3)), r"got float64 of shape \(4, 3\) in 'a.h5'"),
        (np.full((4, 2), np.nan), "got NaN or infinity in 'a.h5'"),
        (np.array([b"x"] * 8).reshape(4, 2), "4 x 2, got"),
    ],
)
def test_coordinates_that_do_not_fit_are_an_error(tmp_path, values, match):
    def spoil(file):
        del file["coords"]
        file["coords"] = values

    with pytest.raises(SiteError, match=match) as caught:
        place(tmp_path, write_trident, "trident", spoil)
    assert caught.value.public == "Coordinates that do not fit their patches."


def test_every_slide_of_a_patient_has_an_entry_of_its_own(tmp_path):
    folder = write_stamp(tmp_path, {"a": SLIDES["a"], "b": SLIDES["a"][:2]})
    slides = tuple(SlideFile(folder / f"{name}.h5", "stamp") for name in "ab")
    found = BagReader((slides,), 3).coordinates(0)
    assert [len(one.values) for one in found] == [4, 2]


def test_ranks_go_slide_by_slide_and_row_by_row(tmp_path):
    # Upper left corners (x, y) of slide a: (9, 0), (0, 5), (0, 0), (5, 5); by y, then x: 2 0 1 3.
    def turn(file):
        file["coords"][...] = np.array([[9, 0], [0, 5], [0, 0], [5, 5]])

    slides = {"a": SLIDES["a"], "b": SLIDES["a"][:2]}
    folder = write_trident(tmp_path / "features", slides)
    paths = [next(folder.rglob(f"{name}.h5")) for name in slides]
    with h5py.File(paths[0], "a") as file:
        turn(file)
    reader = BagReader((tuple(SlideFile(path, "trident") for path in paths), ()), 3)
    assert reader.ranks(0).tolist() == [1, 2, 0, 3, 4, 5]
    assert reader.ranks(1).tolist() == []


def test_one_slide_without_coordinates_leaves_the_patient_without_ranks(tmp_path):
    folder = write_trident(tmp_path / "features", {"a": SLIDES["a"], "b": SLIDES["a"][:2]})
    paths = [next(folder.rglob(f"{name}.h5")) for name in "ab"]
    with h5py.File(paths[1], "a") as file:
        del file["coords"]
    reader = BagReader((tuple(SlideFile(path, "trident") for path in paths),), 3)
    assert reader.ranks(0).tolist() == [-1] * 6
