import json

import pytest

from fusion.errors import ConfigError
from fusion.readers.public_scaling import read_public_scaling

GOOD = {
    "omics": {"rna:A": {"mean": 1, "sd": 2}, "rna:B": {"mean": 3, "sd": 4}},
    "slides": {"mean": [5, 6], "sd": [7, 8]},
}


def read(tmp_path, tree, names=("rna:B",), width=2):
    text = tree if isinstance(tree, str) else json.dumps(tree)
    (tmp_path / "s.json").write_text(text, encoding="utf-8")
    return read_public_scaling(tmp_path / "s.json", names=names, width=width, clip=5.0)


def test_public_statistics_become_a_scaling_of_the_features_asked_for(tmp_path):
    scaling = read(tmp_path, GOOD)
    assert (scaling.mean.tolist(), scaling.sd.tolist()) == ([3.0], [4.0])
    assert (scaling.slide_mean.tolist(), scaling.slide_sd.tolist()) == ([5.0, 6.0], [7.0, 8.0])


def test_slides_need_no_statistics_when_there_are_none(tmp_path):
    assert read(tmp_path, {"omics": GOOD["omics"]}, width=0).slide_mean.size == 0


@pytest.mark.parametrize(
    ("tree", "match"),
    [
        ("{", "must be readable JSON"),
        ([1], "must hold tables `omics` and `slides`"),
        ({"omics": {"rna:B": 3}}, "must hold tables `omics` and `slides`"),
        ({"omics": {}}, r"must cover every feature, got none for rna:B \(1 feature\)"),
        (GOOD | {"omics": {"rna:B": {"mean": 1}}}, "1 finite numbers for omics sd"),
        (GOOD | {"omics": {"rna:B": {"mean": 1, "sd": -1}}}, "1 finite numbers for omics sd"),
        (GOOD | {"slides": {"mean": [1], "sd": [1, 2]}}, "2 finite numbers for slides.mean"),
        (GOOD | {"slides": {"mean": ["x", 1], "sd": [1, 2]}}, "2 finite numbers for slides.mean"),
    ],
)
def test_unusable_file_is_an_error(tmp_path, tree, match):
    with pytest.raises(ConfigError, match=match):
        read(tmp_path, tree)


def test_missing_file_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match=r"must be readable JSON, got .*Mend data.scaling"):
        read_public_scaling(tmp_path / "no.json", names=(), width=0, clip=5.0)
