import numpy as np
import pytest

from fusion.errors import SiteError
from fusion.readers.formats.array import ArrayBag
from fusion.readers.formats.bag import Layout

ONE = Layout(vector=True)


@pytest.mark.parametrize("shape", [(3,), (1, 3)])
def test_vector_is_a_bag_of_one(tmp_path, shape):
    np.save(tmp_path / "a.npy", np.array([1.0, 2, 3], np.float32).reshape(shape))
    with ArrayBag(tmp_path / "a.npy", 3, ONE) as bag:
        assert (len(bag), bag.width, bag.size) == (1, 3, 12)
        assert bag.rows(np.array([0])).tolist() == [[1.0, 2.0, 3.0]]
        assert bag.all().tolist() == [[1.0, 2.0, 3.0]]


@pytest.mark.parametrize(
    ("values", "match"),
    [
        (np.zeros((2, 3)), r"of shape width, or 1 x width, got float64 of shape \(2, 3\)"),
        (np.zeros(3, int), "must be floating-point"),
        (np.zeros(4), "must have width 3, got 4 in 'a.npy'"),
        (np.array([object()]), "must be a whole npy file"),
    ],
)
def test_anything_but_a_vector_is_an_error(tmp_path, values, match):
    np.save(tmp_path / "a.npy", values, allow_pickle=True)
    with pytest.raises(SiteError, match=match):
        ArrayBag(tmp_path / "a.npy", 3, ONE)


@pytest.mark.parametrize("content", [b"", b"no array", b"PK\x03\x04"])
def test_file_that_is_no_array_is_an_error(tmp_path, content):
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(SiteError, match=r"must be a whole npy file, got 'a.npy'"):
        ArrayBag(tmp_path / "a.npy", 3, ONE)
