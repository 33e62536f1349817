import stat
from dataclasses import replace

import numpy as np
import pytest

from client.resampling import SECRET, Resampling, resampling
from client.site import open_site
from fusion.errors import SiteError

ASKED = {"audit.bootstrap": 100}


@pytest.fixture
def hospital(settings_at, tmp_path):
    """Settings of a deployed site that keeps its state in a folder of its own."""

    def hospital(changes=None, state="state"):
        return replace(settings_at(changes=changes or ASKED), state=tmp_path / state)

    return hospital


def drawn(settings, rows=range(20)):
    site = open_site(settings)
    found = resampling(settings, site.cohort.name)
    return replace(found, more_than=0).weights(site.cohort, list(rows))


def test_nothing_is_drawn_or_kept_unless_it_is_asked_for(hospital):
    settings = hospital({"audit.bootstrap": 0})
    assert resampling(settings, "lyon") is None
    assert not settings.kept.exists()


def test_a_hospital_s_secret_is_random_and_its_owner_s_alone(hospital):
    one, other = hospital(), hospital(state="other")
    assert resampling(one, "lyon").secret != resampling(other, "lyon").secret
    assert stat.S_IMODE((one.kept / SECRET).stat().st_mode) == 0o600


@pytest.mark.parametrize("changes", [{"seed": 9}, {"rounds": 3}, {"audit.bootstrap": 150}])
def test_a_hospital_s_weights_are_the_same_whatever_run_asks(hospital, changes):
    first, again = drawn(hospital()), drawn(hospital(ASKED | changes))
    assert (again[:100] == first).all()


def test_a_simulation_s_weights_follow_from_seed_and_site(settings_at):
    settings = replace(settings_at(changes=ASKED), simulated=True)
    assert (drawn(settings) == drawn(settings)).all()
    other = replace(settings, run=replace(settings.run, seed=9))
    assert (drawn(settings) != drawn(other)).any()
    a, b = (resampling(settings, name).secret for name in ("lyon", "porto"))
    assert a != b
    assert not (settings.kept / SECRET).exists()


@pytest.mark.parametrize(("patients", "sent"), [(0, True), (1, False), (20, False), (21, True)])
def test_only_more_patients_than_replicates_are_resampled(settings_at, patients, sent):
    cohort = open_site(settings_at()).cohort
    weights = Resampling(20, b"secret", 20).weights(cohort, list(range(patients)))
    assert (weights is not None) == sent
    assert not sent or weights.shape == (20, patients)


def test_a_hospital_asks_for_more_patients_than_replicates_a_simulation_for_any(hospital):
    settings = hospital()
    assert resampling(settings, "lyon").more_than == 100
    assert resampling(replace(settings, simulated=True), "lyon").more_than == 0


def test_a_damaged_secret_is_told_and_not_replaced(hospital):
    settings = hospital()
    settings.kept.mkdir()
    (settings.kept / SECRET).write_bytes(b"short")
    with pytest.raises(SiteError, match="secret must be 32 bytes, got 5 in") as error:
        resampling(settings, "lyon")
    assert error.value.public == "The site's secret of the bootstrap is damaged."
    assert (settings.kept / SECRET).read_bytes() == b"short"


def test_a_state_folder_that_cannot_be_written_is_told(hospital):
    settings = hospital()
    settings.kept.write_text("a file")
    with pytest.raises(SiteError, match="state folder must be one that can be written"):
        resampling(settings, "lyon")


def test_exact_sums_with_known_weights_give_every_patient_away():
    """Why the weights are secret: as many replicates as patients, and a linear system is solved."""
    rng = np.random.default_rng(1)
    shares, weights = rng.random(30), rng.poisson(1.0, (40, 30)).astype(float)
    found = np.linalg.lstsq(weights, weights @ shares, rcond=None)[0]
    np.testing.assert_allclose(found, shares, atol=1e-9)
