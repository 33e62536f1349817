import json
import math

import numpy as np
import pytest

from fusion.errors import FederationError
from fusion.survival.estimate import Estimate, proportion, require_finite


def test_interval_is_symmetric_on_the_logit_scale():
    found = proportion(0.8, 0.02)
    # logit 0.8 = log 4 = 1.386294; 1.959964 * 0.02 / (0.8 * 0.2) = 0.244996
    assert found.low == pytest.approx(1 / (1 + math.exp(-(1.386294 - 0.244996))), abs=1e-6)
    assert found.high == pytest.approx(1 / (1 + math.exp(-(1.386294 + 0.244996))), abs=1e-6)


@pytest.mark.parametrize(("value", "error"), [(0.0, 0.0), (1.0, 0.0), (1.0, 0.1), (0.5, 0.0)])
def test_interval_is_missing_with_a_reason_where_there_is_no_spread(value, error):
    found = proportion(value, error)
    assert found.value == value
    assert (found.low, found.high, found.standard_error) == (None, None, None)
    assert "no spread" in found.reason


@pytest.mark.parametrize("value", [1e-9, 0.5, 1 - 1e-9])
def test_interval_stays_between_0_and_1_however_large_the_error(value):
    found = proportion(value, 100.0)
    assert 0.0 <= found.low <= value <= found.high <= 1.0


def test_estimate_without_a_value_is_strict_json():
    text = json.dumps(Estimate(None, reason="no patients").as_dict(), allow_nan=False)
    assert json.loads(text)["value"] is None


def test_values_that_are_not_finite_are_counted_in_the_error():
    with pytest.raises(FederationError, match="Risk must be finite, got 2 of 3 values"):
        require_finite("Risk", np.array([1.0, np.nan, np.inf]))
