import numpy as np
import pytest

from fusion.errors import ModelFileError
from fusion.training.checkpoint import load_arrays, save_arrays
from fusion.training.finished import read_finished


@pytest.fixture
def path(finished):
    return finished.folder / "model.safetensors"


def test_the_background_of_the_run_is_in_its_model_file(finished, path):
    asked = [e.request.content for e in finished.exchanges if e.kind == "evaluate"]
    sent = next(content["arrays"] for content in asked if "arrays" in content)
    kept = read_finished(path).background
    assert set(kept) == {"slides", "omics"}
    for name, mean in kept.items():
        np.testing.assert_array_equal(mean, sent[name].numpy())


def test_another_background_than_a_mean_embedding_is_not_kept(tiny, lead):
    run = lead(tiny({"rounds": 1, "audit.background": "zero"}))
    assert read_finished(run.folder / "model.safetensors").background == {}


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("baseline", {"times": [1.0], "cumulative_hazard": []}, "baseline|same shape"),
        ("baseline", {"times": [1.0]}, "no 'cumulative_hazard'"),
        ("background", {"slides": [1.0, 2.0]}, "a background that is not tokens of finite numbers"),
        ("background", {"slides": [[None]]}, "a background that is not tokens of finite numbers"),
        ("background", [1.0], "no attribute 'items'"),
        ("plan", "{}", "no 'modalities'"),
    ],
)
def test_a_file_that_is_spoilt_is_refused_in_words(path, tmp_path, key, value, reason):
    arrays, card = load_arrays(path)
    save_arrays(tmp_path / "m.safetensors", arrays, card | {key: value})
    with pytest.raises(ModelFileError, match=rf"its plan, settings and baseline, .*({reason})"):
        read_finished(tmp_path / "m.safetensors")


def test_weights_that_are_not_finite_are_refused_by_name(path, tmp_path):
    arrays, card = load_arrays(path)
    name = sorted(arrays)[0]
    arrays[name] = np.full_like(arrays[name], np.nan)
    save_arrays(tmp_path / "m.safetensors", arrays, card)
    with pytest.raises(ModelFileError, match=rf"NaN or infinity in {name}"):
        read_finished(tmp_path / "m.safetensors")
