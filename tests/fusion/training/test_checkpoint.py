import hashlib
import json

import numpy as np
import pytest
from safetensors.numpy import save

from fusion.errors import ModelFileError, OutputError
from fusion.training.checkpoint import load_arrays, save_arrays, write_atomically


def test_arrays_and_document_come_back(tmp_path):
    arrays = {"a": np.arange(6.0).reshape(2, 3).T, "n": np.array(3)}
    document = {"text": "ü", "list": [1, None, 0.1]}
    save_arrays(tmp_path / "m.safetensors", arrays, document)
    found, told = load_arrays(tmp_path / "m.safetensors")
    assert told == document
    assert {k: v.tolist() for k, v in found.items()} == {k: v.tolist() for k, v in arrays.items()}


def test_the_hash_is_that_of_the_file(tmp_path):
    path = tmp_path / "m.safetensors"
    digest = save_arrays(path, {"a": np.zeros(2)}, {})
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()


def test_equal_content_makes_equal_files(tmp_path):
    one = save_arrays(tmp_path / "one", {"a": np.zeros(2), "b": np.ones(1)}, {"x": 1, "y": 2})
    other = save_arrays(tmp_path / "other", {"b": np.ones(1), "a": np.zeros(2)}, {"y": 2, "x": 1})
    assert one == other


def test_a_document_must_be_strict_json(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        save_arrays(tmp_path / "m", {}, {"loss": float("nan")})
    assert not list(tmp_path.iterdir())


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "new" / "file"
    write_atomically(path, b"old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert [p.name for p in path.parent.iterdir()] == ["file"]


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OutputError, match=r"written whole, got No space left .* '.*file'\. Make"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelFileError, match=r"Model file must exist, got '.*none'"):
        load_arrays(tmp_path / "none")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not safetensors",
        save({"a": np.zeros(1)}),
        save({"a": np.zeros(1)}, metadata={"concord": "{"}),
        save({"a": np.zeros(9)}, metadata={"concord": json.dumps({})})[:-8],
    ],
    ids=["empty", "text", "foreign", "no-json", "truncated"],
)
def test_a_damaged_or_foreign_file_is_refused(tmp_path, content):
    path = tmp_path / "m.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"must be one that Concord wrote, got '.*m\.safe"):
        load_arrays(path)
