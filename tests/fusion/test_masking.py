import pytest

from fusion.config import from_flat
from fusion.errors import ConfigError


def test_a_scale_that_is_not_known_is_named():
    with pytest.raises(ConfigError, match=r"audit.scales must be some of .*, got 'survvial'"):
        from_flat({"audit.scales": "cumulative-hazard, survvial"})


def test_scales_without_a_horizon_are_refused():
    with pytest.raises(ConfigError, match=r"audit.scales must have a time to be read at"):
        from_flat({"audit.scales": "survival", "evaluation.horizons": ""})


def test_one_donor_is_refused():
    """The output without any modality would be that patient's own."""
    with pytest.raises(ConfigError, match=r"audit.donors must be >= 2, got 1"):
        from_flat({"audit.donors": 1})


def test_no_background_but_four():
    with pytest.raises(
        ConfigError, match=r"embedding-mean, input-mean, zero, marginal, got 'mean'"
    ):
        from_flat({"audit.background": "mean"})


def test_a_run_that_trains_audits_its_test_patients():
    with pytest.raises(ConfigError, match=r"must be test in a run that trains, got 'train'\. Aud"):
        from_flat({"audit.split": "train"})
    assert from_flat({"audit.split": "train", "audit.model-file": "m"}).audit.split == "train"
