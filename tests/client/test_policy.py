from pathlib import Path

import pytest

from client.policy import read_policy
from fusion.errors import ConfigError
from privacy.disclosure import Disclosure
from privacy.mechanisms import Noise

FULL = """
[cohort]
public-size = 300
minimum-patients = 12
minimum-events = 6
minimum-cell = 4
round-counts-to = 5
[budget]
max-epsilon = 3
delta = 1e-3
non-private-training = true
mirror = "/mnt/other/ledger.head"
[run]
epsilon = 2.5
sampling-rate = 0.2
max-grad-norm = 0.5
steps = 80
[releases]
counts = "laplace:4"
test = "gaussian:12"
[allowed]
models = ["late"]
objectives = ["discrete-time"]
rounds = 20
parameters = 100000
"""


def written(folder, text):
    (folder / "policy.toml").write_text(text, encoding="utf-8")
    return folder


def test_every_key_is_read(tmp_path):
    policy = read_policy(written(tmp_path, FULL))
    assert (policy.public_size, policy.minimum_patients, policy.minimum_events) == (300, 12, 6)
    assert (policy.minimum_cell, policy.round_counts_to) == (4, 5)
    assert policy.disclosure == Disclosure(12, 6, 4, 5)
    assert policy.non_private_training
    assert (policy.limit.max_epsilon, policy.limit.delta) == (3.0, 1e-3)
    assert policy.mirror == Path("/mnt/other/ledger.head")
    assert (policy.epsilon, policy.sampling_rate, policy.max_grad_norm) == (2.5, 0.2, 0.5)
    assert policy.steps == 80
    assert policy.noises == {"counts": Noise("laplace", 4.0), "test": Noise("gaussian", 12.0)}
    assert policy.limit.run_epsilon == 2.5
    assert (policy.models, policy.objectives) == (("late",), ("discrete-time",))
    assert (policy.rounds, policy.parameters) == (20, 100_000)


def test_a_site_without_a_policy_has_none(tmp_path):
    assert read_policy(tmp_path) is None


def test_a_policy_that_leads_nowhere_is_not_no_policy(tmp_path):
    (tmp_path / "policy.toml").symlink_to(tmp_path / "not-mounted" / "policy.toml")
    with pytest.raises(ConfigError, match=r"^policy\.toml must be TOML, got .*No such file"):
        read_policy(tmp_path)


def test_a_short_policy_allows_little(tmp_path):
    policy = read_policy(written(tmp_path, "[cohort]\npublic-size = 300\n"))
    assert policy.max_epsilon == 0.0
    assert not policy.non_private_training


def test_delta_and_the_run_follow_from_size_and_limit(tmp_path):
    text = "[cohort]\npublic-size = 300\n[budget]\nmax-epsilon = 3\n"
    policy = read_policy(written(tmp_path, text))
    # 300^-1.1 = exp(-1.1 * 5.7038) = 0.001885
    assert policy.delta == pytest.approx(0.001885, rel=1e-3)
    assert policy.epsilon == 3.0


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("public-size = 300", "public-size = 1", "public-size in policy.toml must be a whole"),
        ("public-size = 300", "public-size = true", "must be a whole number >= 2, got True"),
        ("public-size = 300", "", "public-size in policy.toml must be the rounded number"),
        ("minimum-patients = 12", "minimum-patients = 1", "must be a whole number >= 2"),
        ("minimum-events = 6", "minimum-events = -1", "must be a whole number >= 0"),
        ("minimum-cell = 4", "minimum-cell = 1", "minimum-cell in policy.toml must be a whole"),
        ("round-counts-to = 5", "round-counts-to = 0", "must be a whole number >= 1"),
        ("max-epsilon = 3", "max-epsilon = 0", "must be a number > 0, got 0"),
        ("max-epsilon = 3", "max-epsilon = inf", "must be a number > 0, got inf"),
        ("max-epsilon = 3", "max-epsilon = nan", "must be a number > 0, got nan"),
        ("max-epsilon = 3", "max-epsilon = 2", "at most max-epsilon = 2, got 2.5"),
        ("delta = 1e-3", "delta = 0.01", "budget.delta in policy.toml must be below 1 / public"),
        ("delta = 1e-3", "delta = 0", r"must be a number in \(0, 1\)"),
        ("non-private-training = true", "non-private-training = 1", "must be true or false"),
        ('"/mnt/other/ledger.head"', '"ledger.head"', "must be an absolute path"),
        ("epsilon = 2.5", "epsilon = 3.5", "must be above 0 and at most max-epsilon = 3"),
        ("sampling-rate = 0.2", "sampling-rate = 2", r"must be a number in \(0, 1\]"),
        ("max-grad-norm = 0.5", 'max-grad-norm = "1"', "must be a number > 0"),
        ("steps = 80", "steps = 0.5", "must be a whole number >= 1"),
        ('"laplace:4"', '"laplace"', "releases.counts in policy.toml: A noise must be mechanism"),
        ('"laplace:4"', '"laplace:4:2"', "how often it is added follows from the run"),
        ('"laplace:4"', "4", "releases.counts in policy.toml must be mechanism:multiplier, got 4"),
        ("counts =", "count =", "got 'releases.count'. Did you mean 'releases.counts'"),
        ("[releases]", "[release]", "got 'release'. Did you mean 'releases'"),
        (
            "rounds = 20",
            'rounds = 20\nexact-releases = ["test"]',
            "exact-releases lets out .* 'test'",
        ),
        ('["late"]', '"late"', "must be a list of names"),
        ("rounds = 20", "round = 20", "got 'allowed.round'. Did you mean 'allowed.rounds'"),
        ("[run]", "[runs]", "got 'runs'. Did you mean 'run'"),
        ("[cohort]", "cohort = 3\n[other]", "must be a section"),
        ("public-size = 300", "public-size", "must be TOML"),
    ],
)
def test_a_policy_that_does_not_fit_is_refused(tmp_path, before, after, told):
    assert before in FULL
    with pytest.raises(ConfigError, match=told):
        read_policy(written(tmp_path, FULL.replace(before, after, 1)))


def test_releases_that_are_no_section_are_refused(tmp_path):
    text = "releases = 3\n[cohort]\npublic-size = 300\n"
    with pytest.raises(ConfigError, match=r"must be a section \[releases\], got 3"):
        read_policy(written(tmp_path, text))
