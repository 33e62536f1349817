import h5py
import numpy as np
import pytest

from fusion.errors import SiteError
from fusion.readers.formats.h5 import H5Bag

VALUES = np.arange(60.0).reshape(20, 3)
LAYOUTS = [{}, {"chunks": (4, 3)}, {"chunks": (4, 3), "compression": "gzip"}]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("rows", [[0], [3, 4, 5], [0, 7, 19], list(range(20))])
@pytest.mark.parametrize("shape", [(20, 3), (1, 20, 3)])
def test_rows_are_the_same_in_every_layout(tmp_path, bag, layout, rows, shape):
    if len(shape) == 3 and "chunks" in layout:
        layout = layout | {"chunks": (1, 4, 3)}
    path = bag(tmp_path / "a.h5", VALUES.reshape(shape), **layout)
    with H5Bag(path, 3) as opened:
        np.testing.assert_array_equal(opened.rows(np.array(rows)), VALUES[rows])
        np.testing.assert_array_equal(opened.all(), VALUES)


def test_size_is_what_the_patches_take_in_the_files_own_precision(tmp_path, bag):
    with H5Bag(bag(tmp_path / "a.h5", VALUES), 3) as opened:
        assert (len(opened), opened.size) == (20, 120)  # 20 x 3 x 2 bytes


@pytest.mark.parametrize(
    ("values", "match"),
    [
        (np.zeros((2, 4)), r"must have width 3, got 4 in 'a.h5'. Use one encoder"),
        (np.zeros((0, 3)), "must hold at least one patch, got none in 'a.h5'"),
        (np.zeros(3), r"of shape regions x width, got float16 of shape \(3,\)"),
        (np.zeros((2, 5, 3)), "of shape regions x width"),
    ],
)
def test_features_of_the_wrong_shape_are_an_error(tmp_path, bag, values, match):
    with pytest.raises(SiteError, match=match) as caught:
        H5Bag(bag(tmp_path / "a.h5", values), 3)
    assert "a.h5" not in caught.value.public


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_an_error(tmp_path, bag, value):
    path = bag(tmp_path / "a.h5", np.array([[0.0, value, 1.0]]))
    with H5Bag(path, 3) as opened, pytest.raises(SiteError, match=r"must be finite, .* 'a.h5'"):
        opened.all()


def test_truncated_file_is_an_error(tmp_path, bag):
    path = bag(tmp_path / "a.h5", np.ones((500, 3)))
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(SiteError, match=r"must be a whole h5 file, got 'a.h5' .* Copy or extract"):
        H5Bag(path, 3)


def test_damaged_chunk_is_an_error(tmp_path, bag):
    path = bag(
        tmp_path / "a.h5", np.random.default_rng(0).normal(size=(900, 3)), compression="gzip"
    )
    content = bytearray(path.read_bytes())
    content[-2000:-1000] = bytes(1000)
    path.write_bytes(bytes(content))
    with H5Bag(path, 3) as opened, pytest.raises(SiteError, match="must be a whole h5 file"):
        opened.all()


def test_missing_file_is_an_error(tmp_path):
    with pytest.raises(SiteError, match=r"must exist, got no file 'a.h5'"):
        H5Bag(tmp_path / "a.h5", 3)


def test_file_without_features_names_what_it_holds(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("coords", data=[1])
    with pytest.raises(SiteError, match=r"must hold a dataset `features`, got coords in 'a.h5'"):
        H5Bag(tmp_path / "a.h5", 3)


def test_group_in_place_of_features_is_an_error(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_group("features")
    with pytest.raises(SiteError, match="must hold a dataset `features`"):
        H5Bag(tmp_path / "a.h5", 3)


def test_file_that_is_no_h5_is_an_error(tmp_path):
    (tmp_path / "a.h5").write_bytes(b"not h5")
    with pytest.raises(SiteError, match="must be a whole h5 file"):
        H5Bag(tmp_path / "a.h5", 3)


def test_file_damaged_inside_is_an_error(tmp_path, bag):
    path = bag(tmp_path / "a.h5")
    path.write_bytes(path.read_bytes().replace(b"SNOD", bytes(4)))  # the node that lists datasets
    with pytest.raises(SiteError, match="must be a whole h5 file"):
        H5Bag(path, 3)
