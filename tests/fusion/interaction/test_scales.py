import numpy as np
import pytest
import torch

from fusion.config import from_flat
from fusion.errors import ConfigError
from fusion.interaction.coalitions import coalition_outputs
from fusion.interaction.scales import Scale, chosen_scales, time_scales
from fusion.interaction.shares import dividends, local_shares
from fusion.objectives.cox import CoxObjective
from fusion.objectives.discrete_time import DiscreteTimeObjective
from fusion.objectives.federated_cox import FederatedCoxObjective
from fusion.objectives.intervals import Intervals
from fusion.objectives.piecewise_exponential import PiecewiseExponentialObjective
from fusion.survival.baseline import Baseline

CUTS = Intervals((0.0, 365.25, 730.5, 1826.25))
FLAT = Baseline(np.array([0.0, 1000.0]), np.array([0.0, 1.0]))
OBJECTIVES = [
    CoxObjective(),
    FederatedCoxObjective(),
    DiscreteTimeObjective(CUTS),
    PiecewiseExponentialObjective(CUTS),
]
BOTH = (Scale("cumulative-hazard", 500.0), Scale("survival", 500.0))


def outputs(objective, fuse, donors=1, scales=BOTH):
    generator = torch.Generator().manual_seed(1)
    given = {n: torch.randn(20, 1, 2, generator=generator).double() for n in ("slides", "rna")}
    background = {n: torch.randn(donors, 1, 2, generator=generator).double() for n in given}
    return coalition_outputs(fuse, given, background, time_scales(scales, objective, FLAT).read)


def late(embeddings):
    return sum(0.5 * tokens.sum(dim=(1, 2)) for tokens in embeddings.values())


@pytest.mark.parametrize("donors", [1, 5])
@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda o: type(o).__name__)
def test_late_fusion_interacts_on_every_scale_but_the_log_hazard(objective, donors):
    found = outputs(objective, late, donors)
    log_hazard, hazard, survival = (local_shares(found[:, :, k])[:, 0] for k in range(3))
    assert log_hazard.max() < 1e-12
    assert hazard.mean() > 0.02
    assert survival.mean() > 0.02


def test_a_scale_is_read_before_donors_are_averaged():
    """Of exp(eta) with donors' eta of 0 and ln 3 the mean is 2, of eta alone sqrt 3."""
    given = {"slides": torch.zeros(1, 1, 1), "rna": torch.zeros(1, 1, 1)}
    donors = {
        "slides": torch.zeros(2, 1, 1),
        "rna": torch.tensor([0.0, np.log(3.0)])[:, None, None],
    }
    read = time_scales((Scale("cumulative-hazard", 1000.0),), CoxObjective(), FLAT).read
    found = coalition_outputs(
        lambda e: e["rna"][:, 0, 0] + e["slides"][:, 0, 0], given, donors, read
    )
    np.testing.assert_allclose(found[0, 0], [np.log(3) / 2, 2.0])


def test_the_cumulative_hazard_of_a_sum_is_a_product_and_its_dividend_is_known():
    # H0 = 0.5 at day 500; eta 0, ln 2, ln 3, ln 6: H = .5, 1, 1.5, 3; m12 = 3 - 1 - 1.5 + .5 = 1
    read = time_scales(BOTH, CoxObjective(), FLAT).read
    hazard, survival = read(np.log([1.0, 2.0, 3.0, 6.0])).T
    np.testing.assert_allclose(dividends(hazard[None])[0], [0.5, 0.5, 1.0, 1.0])
    np.testing.assert_allclose(survival, np.exp([-0.5, -1, -1.5, -3]))


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda o: type(o).__name__)
def test_extreme_log_hazards_stay_finite(objective):
    read = time_scales(BOTH, objective, FLAT).read
    assert np.isfinite(read(np.array([-500.0, 0.0, 500.0]))).all()


def test_cox_without_a_baseline_is_refused():
    read = time_scales(BOTH, CoxObjective(), None).read
    with pytest.raises(ConfigError, match="must have a baseline, got none"):
        read(np.zeros(1))


def test_without_scales_nothing_is_read_beside_the_log_hazard():
    read = time_scales((), CoxObjective(), None).read
    assert read(np.zeros(3)).shape == (3, 0)


def test_each_scale_is_read_at_every_horizon():
    config = from_flat({
        "audit.scales": "survival,cumulative-hazard,survival",
        "evaluation.horizons": "365.25,1000",
    })  # fmt: skip
    assert [scale.release for scale in chosen_scales(config)] == [
        "audit:survival@365.25", "audit:survival@1000.0",
        "audit:cumulative-hazard@365.25", "audit:cumulative-hazard@1000.0",
    ]  # fmt: skip
