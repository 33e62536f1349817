"""A site tries its private steps before it takes part."""

import logging

import pytest

from client import start
from client.doctor import examine
from client.rehearsal import rehearse
from client.start import Station, take_part
from privacy.attacks import step
from privacy.errors import PrivacyError
from privacy.randomness import SystemRandomness

POLICY = "[cohort]\npublic-size = 100\n[budget]\nmax-epsilon = 3.0\n[run]\nsteps = 4\n"


@pytest.fixture(autouse=True)
def _forget():
    step._checked.cache_clear()
    yield
    step._checked.cache_clear()


@pytest.fixture
def governed(own_hospitals):
    (own_hospitals / "lyon" / "policy.toml").write_text(POLICY, encoding="utf-8")
    return own_hospitals / "lyon"


@pytest.fixture
def half_noise(monkeypatch):
    whole = SystemRandomness.normal
    monkeypatch.setattr(SystemRandomness, "normal", lambda self, n: whole(self, n) / 2)


def test_a_site_without_a_private_policy_rehearses_nothing(own_hospitals, governed):
    assert rehearse(own_hospitals / "bergen") is None
    (governed / "policy.toml").write_text("[cohort]\npublic-size = 100\n", encoding="utf-8")
    assert rehearse(governed) is None


def test_the_doctor_says_what_private_steps_do(governed):
    found = examine(governed)
    assert found.healthy
    assert found.lines[-1].startswith("Private steps do what the policy plans, in 3,000 noisy sums")


@pytest.mark.usefixtures("half_noise")
def test_the_doctor_calls_half_the_noise_a_problem(governed):
    assert any("must do what the site's ledger counts" in one for one in examine(governed).problems)


def test_the_doctor_reads_the_policy(governed):
    (governed / "policy.toml").write_text("[cohort]\nsize = 100\n", encoding="utf-8")
    assert any("Key in policy.toml must be known" in one for one in examine(governed).problems)


@pytest.mark.usefixtures("half_noise")
def test_a_site_whose_steps_are_wrong_starts_nothing(governed, tmp_path, monkeypatch):
    monkeypatch.setattr(start, "_running", lambda *_: pytest.fail("started"))
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(PrivacyError, match="install an unchanged version"):
        take_part(Station(governed, "localhost:9092", authority=file, key=file))


def test_a_site_that_starts_says_what_its_steps_do(governed, tmp_path, monkeypatch, caplog):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(start, "_running", stop)
    file = tmp_path / "file"
    file.touch()
    with caplog.at_level(logging.INFO, "concord.site"), pytest.raises(KeyboardInterrupt):
        take_part(Station(governed, "localhost:9092", authority=file, key=file))
    assert "Private steps do what the policy plans" in caplog.text
