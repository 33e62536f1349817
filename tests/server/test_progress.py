import numpy as np
import pytest

from fusion.config import RunConfig, from_flat
from fusion.errors import ModelFileError
from server.progress import FILE, Progress, load_progress


def state(**changes):
    model = {"model.w": np.array([[0.1, -2.5]], np.float32), "n": np.array(7)}
    best = {"model.w": np.array([[0.3, 0.4]], np.float32), "n": np.array(5)}
    moments = {"m/model.w": np.full((1, 2), 1e-9), "v/model.w": np.zeros((1, 2))}
    risk_sets = {"lyon": np.array([[2.0, 0.5], [1.0, 0.1], [1 / 3, -700.0]])}
    plain = {"best_round": 2, "best_score": 0.1 + 0.2, "centre": 1 / 3, "scale": 0.7}
    records = ({"round": 0, "loss": {"train": None}}, {"round": 1, "answered": ["ü"]})
    given = {
        "model": model,
        "best": best,
        "moments": moments,
        "risk_sets": risk_sets,
        "records": records,
        **plain,
    }
    return Progress(**{"round": 3, "seconds": (0.5,), **given, **changes})


def test_a_state_comes_back_bit_for_bit(tmp_path):
    before = state()
    before.save(tmp_path, RunConfig(), {"plan": "p"})
    after, document = load_progress(tmp_path)
    for kind in ("model", "best", "moments", "risk_sets"):
        one, other = getattr(before, kind), getattr(after, kind)
        assert {k: (v.dtype, v.shape, v.tobytes()) for k, v in one.items()} == {
            k: (v.dtype, v.shape, v.tobytes()) for k, v in other.items()
        }
    plain = ("round", "best_round", "best_score", "centre", "scale", "records", "seconds")
    assert all(getattr(before, name) == getattr(after, name) for name in plain)
    assert document["agreement"] == {"plan": "p"}


def test_the_settings_come_back_too(tmp_path):
    config = from_flat({"model.name": "late", "training.lr": 0.1 + 0.2})
    state().save(tmp_path, config, {})
    assert from_flat(load_progress(tmp_path)[1]["config"]) == config


def test_a_state_without_moments_or_best_score_comes_back(tmp_path):
    state(moments={}, best_score=None).save(tmp_path, RunConfig(), {})
    after, _ = load_progress(tmp_path)
    assert (after.moments, after.best_score) == ({}, None)


def test_the_last_record_alone_changes():
    changed = state().with_last_record(audit=1)
    assert changed.records[-1] == {"round": 1, "answered": ["ü"], "audit": 1}
    assert changed.records[0] == state().records[0]


def test_a_run_without_a_checkpoint_cannot_be_resumed(tmp_path):
    with pytest.raises(ModelFileError, match=r"resume must have a checkpoint, got none in '"):
        load_progress(tmp_path)


@pytest.mark.parametrize("spoil", ["text", "foreign"])
def test_a_damaged_checkpoint_is_refused(tmp_path, finished, spoil):
    model = (finished.folder / "model.safetensors").read_bytes()
    (tmp_path / FILE).write_bytes(b"text" if spoil == "text" else model)
    with pytest.raises(ModelFileError, match=r"one that Concord wrote|between two rounds"):
        load_progress(tmp_path)
