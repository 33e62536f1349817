from io import BytesIO

import numpy as np
import pytest

from fusion.npy import read_npy


def saved(array):
    file = BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=np.float32).reshape(2, 3),
        np.arange(4, dtype=np.int64),
        np.array(3.5),
        np.zeros((0, 3)),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.array([True, False]),
    ],
    ids=["matrix", "vector", "scalar", "empty", "fortran", "bool"],
)
def test_what_numpy_saved_is_read(array):
    found = read_npy(saved(array), dtype=str(array.dtype), shape=array.shape)
    np.testing.assert_array_equal(found, array)
    assert (found.dtype, found.shape) == (array.dtype, array.shape)


def test_a_wrong_claim_is_answered_with_what_is_there():
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert read_npy(saved(array), dtype="float64", shape=(3, 2)).dtype == np.float32


def test_a_truncated_array_is_an_error():
    data = saved(np.arange(6.0))[:-8]
    with pytest.raises(ValueError, match=r"must hold 48 bytes, got 40"):
        read_npy(data, dtype="float64", shape=(6,))
