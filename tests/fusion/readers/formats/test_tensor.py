import os
import pickle

import numpy as np
import pytest
import torch

from fusion.errors import SiteError
from fusion.readers.formats.bag import Layout
from fusion.readers.formats.tensor import TensorBag

VALUES = torch.arange(60.0).reshape(20, 3)


def saved(tmp_path, thing, **how):
    torch.save(thing, tmp_path / "a.pt", **how)
    return tmp_path / "a.pt"


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("rows", [[0], [3, 4, 5], [0, 7, 19]])
def test_rows_are_those_of_the_tensor_whatever_torch_wrote_it(tmp_path, zipped, rows):
    path = saved(tmp_path, VALUES, _use_new_zipfile_serialization=zipped)
    with TensorBag(path, 3) as bag:
        assert (len(bag), bag.width, bag.size) == (20, 3, 240)  # 20 x 3 x 4 bytes
        np.testing.assert_array_equal(bag.rows(np.array(rows)), VALUES[rows])
        np.testing.assert_array_equal(bag.all(), VALUES)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_every_floating_type_is_read(tmp_path, kind):
    with TensorBag(saved(tmp_path, VALUES.to(kind)), 3) as bag:
        np.testing.assert_array_equal(bag.all(), VALUES)


@pytest.mark.parametrize(
    "thing",
    [VALUES[None], {"features": VALUES, "coords": VALUES}, torch.nn.Parameter(VALUES), VALUES.T.T],
)
def test_leading_one_dict_and_parameter_are_the_same_bag(tmp_path, thing):
    with TensorBag(saved(tmp_path, thing), 3) as bag:
        np.testing.assert_array_equal(bag.rows(np.array([2, 5])), VALUES[[2, 5]])


class _Attack:
    """Runs a command when it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("way", ["zip", "old", "dict", "pickle"])
def test_pickle_that_would_run_code_is_refused_and_does_not_run(tmp_path, way):
    path, attack = tmp_path / "a.pt", _Attack(tmp_path / "attacked")
    if way == "pickle":
        path.write_bytes(pickle.dumps(attack))
    else:
        thing = {"features": VALUES, "more": attack} if way == "dict" else attack
        torch.save(thing, path, _use_new_zipfile_serialization=way != "old")
    with pytest.raises(
        SiteError, match=r"'a.pt', which is damaged or holds objects that"
    ) as caught:
        TensorBag(path, 3)
    assert not (tmp_path / "attacked").exists()
    assert caught.value.public == "A pt file that is damaged or could run code; it was not loaded."


def test_the_attack_would_work_where_pickles_are_trusted(tmp_path):
    pickle.loads(pickle.dumps(_Attack(tmp_path / "attacked")))
    assert (tmp_path / "attacked").exists()


@pytest.mark.parametrize(
    ("thing", "match"),
    [
        (VALUES[0], r"of shape regions x width, got torch.float32 of shape \(3,\) in 'a.pt'"),
        (VALUES.int(), "must be floating-point numbers .* got torch.int32"),
        (VALUES[:, :2], "must have width 3, got 2 in 'a.pt'"),
        (VALUES[:0], "at least one patch, got none in 'a.pt'"),
        (VALUES.reshape(2, 10, 3), "of shape regions x width"),
        ([VALUES], "must be a tensor, or a dict with a tensor `features`, got another object in"),
        ({"x": VALUES}, "got a dict of 1 other entries in 'a.pt'. Save it as torch.save"),
        (VALUES.to_sparse(), "got a tensor without plain values"),
        (VALUES.to("meta"), "got a tensor without plain values"),
        (VALUES / 0, "must be finite, got NaN or infinity in 'a.pt'"),
    ],
)
def test_anything_but_a_bag_is_an_error(tmp_path, thing, match):
    with (
        pytest.raises(SiteError, match=match) as caught,
        TensorBag(saved(tmp_path, thing), 3) as bag,
    ):
        bag.all()
    assert "a.pt" not in caught.value.public


@pytest.mark.parametrize(
    ("keep", "match"), [(300, "must be a whole pt file"), (0, "whole pt file")]
)
def test_truncated_file_is_an_error(tmp_path, keep, match):
    path = saved(tmp_path, VALUES)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(SiteError, match=match):
        TensorBag(path, 3)


def test_missing_file_is_an_error(tmp_path):
    with pytest.raises(SiteError, match=r"must exist, got no file 'a.pt'"):
        TensorBag(tmp_path / "a.pt", 3)


def test_vector_is_a_bag_of_one(tmp_path):
    with TensorBag(saved(tmp_path, VALUES[1]), 3, Layout(vector=True)) as bag:
        np.testing.assert_array_equal(bag.rows(np.array([0])), VALUES[1:2])
        assert len(bag) == 1


def test_file_is_mapped_not_loaded(tmp_path):
    path = saved(tmp_path, torch.ones(2000, 3))
    with TensorBag(path, 3) as bag:
        content = path.read_bytes()
        one, two = np.ones(3, np.float32).tobytes(), np.full(3, 2, np.float32).tobytes()
        with path.open("r+b") as file:  # in place: a loaded tensor would not see it
            file.write(content.replace(one, two))
        assert bag.rows(np.array([1000])).tolist() == [[2.0, 2.0, 2.0]]
