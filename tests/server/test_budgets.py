"""What the result says of a private run: never less than what the sites told."""

import pytest

from fusion.config import from_flat
from server.budgets import FIGURES, tell_privacy, tell_reaudit
from server.outgoing import Outgoing, joined

PRIVATE = from_flat(
    {
        "privacy.mode": "record-level", "objective.name": "discrete-time",
        "training.coordination": "none",
    }
)  # fmt: skip


def account(name, *, exact=(), **told):
    figures = {key.replace("-", "_"): 1.0 for key in FIGURES}
    return figures | told | {"name": name, "exact_releases": list(exact)}


def record(number, *accounts, failed=()):
    return {
        "round": number,
        "answered": [one["name"] for one in accounts],
        "failed": [{"site": site, "reason": "no answer"} for site in failed],
        "privacy": list(accounts),
    }


FIRST = {"round": 0, "answered": [], "failed": []}


def statement(*records, released=None):
    return tell_privacy([FIRST, *records], Outgoing(released or {}), PRIVATE)["statement"]


def test_the_statements_delta_is_that_of_the_most_lenient_site():
    told = statement(
        record(1, account("bergen", run_epsilon=4.0, delta=1e-3), account("lyon", delta=0.05))
    )
    # lyon promises (1, 0.05): (4, 0.001) would be more than it keeps
    assert "at most epsilon 4.000 at delta 0.05 (site bergen)" in told


@pytest.mark.parametrize(
    ("epsilon", "delta", "said"),
    [
        (3.0004, 0.0063141, "epsilon 3.001 at delta 0.00632"),
        (3.9999, 0.01, "epsilon 4.000 at delta 0.01"),
        (4.0, 1e-5, "epsilon 4.000 at delta 0.00001"),
    ],
)
def test_bounds_are_rounded_up(epsilon, delta, said):
    told = statement(record(1, account("lyon", run_epsilon=epsilon, delta=delta)))
    assert f"at most {said} (site lyon)" in told


def test_a_round_without_a_last_account_is_not_passed_over():
    told = statement(record(1, account("lyon")), record(2, failed=["lyon", "porto"]))
    assert "Of lyon, porto no account came after rounds that failed there" in told


def test_a_failed_round_before_a_later_account_is_in_it():
    told = statement(record(1, failed=["lyon"]), record(2, account("lyon")))
    assert "no account came" not in told


def test_sums_that_left_in_rounds_are_named_whoever_remembers_them():
    told = statement(record(1, account("lyon", exact=["validation"])))
    assert "lyon: validation (" in told


def test_tellings_are_joined_by_site():
    told = joined({"lyon": ["counts"]}, {"lyon": {"scaling"}, "porto": set()})
    assert told == {"lyon": {"counts", "scaling"}, "porto": set()}


def test_a_re_audit_of_a_private_model_spends_nothing_and_names_what_left():
    left = Outgoing(exact={"porto": set(), "lyon": {"audit", "counts"}})
    told = tell_reaudit(left, PRIVATE)
    assert told["differential_privacy"]
    assert told["statement"].startswith("Nothing was trained and no noise was drawn, so this re-")
    assert "lyon: audit, counts (" in told["statement"]
    assert "porto:" not in told["statement"]
    exact = {site["name"]: site["exact_releases"] for site in told["sites"]}
    assert exact == {"lyon": ["audit", "counts"], "porto": []}


def test_a_re_audit_of_a_plain_model_promises_nothing():
    told = tell_reaudit(Outgoing(), from_flat({}))
    assert not told["differential_privacy"]
    assert "no epsilon bounds what they tell" in told["statement"]
