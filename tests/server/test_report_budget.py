"""The table of budgets shows what the sites' ledgers told, rounded to the careful side."""

import pytest

from server.budgets import say_budget
from server.report.budget import budget

ACCOUNT = {
    "epsilon": 2.00004, "epsilon_rdp": 2.4, "run_epsilon": 1.9996, "run_epsilon_rdp": 2.3,
    "max_epsilon": 3.0, "planned_epsilon": 2.0, "delta": 1e-3, "noise_multiplier": 9.1428,
    "max_grad_norm": 0.5, "sampling_rate": 0.2, "public_size": 60.0, "steps": 30.0,
    "planned_steps": 40.0,
}  # fmt: skip
WHY = "Budget exhausted: round 3 would bring epsilon to 3.1, but the site allows 3."


def site(name, account, left=None):
    return {"name": name, **account, "exact_releases": [], "left": left}


def rows(*sites, failed=()):
    rounds = [
        {"round": number, "failed": [{"site": who, "reason": why}]} for number, who, why in failed
    ]
    return budget(
        {"privacy": {"differential_privacy": True, "sites": list(sites)}, "rounds": rounds}
    )


def test_spent_is_rounded_up_and_left_down():
    (row,) = rows(site("lyon", ACCOUNT))
    # 3 less 2.00004 leaves 0.99996
    assert (row["run"], row["ever"], row["remains"]) == ("2.000 of 2", "2.001 of 3", "0.999")
    assert (row["delta"], row["noise"], row["clip"]) == ("0.001", "9.143", "0.5")
    assert (row["sampling"], row["steps"]) == ("0.2", "30 of 40")


def test_nothing_is_left_of_what_was_passed():
    (row,) = rows(site("lyon", ACCOUNT | {"max_epsilon": 1.0}))
    assert row["remains"] == "0.000"


def test_what_was_not_sent_is_a_dash():
    (row,) = rows(site("porto", dict.fromkeys(ACCOUNT), {"round": 3, "reason": WHY}))
    shown = ("run", "ever", "remains", "delta", "noise", "clip", "sampling", "steps")
    assert {row[name] for name in shown} == {"–"}
    assert row["left"]["round"] == 3


def test_refusals_of_the_ledger_are_counted_and_other_failures_are_not():
    failed = [(2, "lyon", "no answer"), (3, "lyon", WHY), (4, "lyon", WHY), (4, "porto", WHY)]
    (row,) = rows(site("lyon", ACCOUNT), failed=failed)
    assert row["rounds"] == [3, 4]


def test_a_run_without_a_promise_has_no_table():
    assert budget({"privacy": {"differential_privacy": False}, "rounds": []}) is None


@pytest.mark.parametrize(
    ("budgets", "line"),
    [
        ([], ""),
        ([("lyon", 2.0, 3.0)], "  epsilon 2.00 spent, 1.00 left (lyon)"),
        # porto has spent less but has less left
        (
            [("lyon", 2.0, 8.0), ("porto", 1.5, 2.0)],
            "  epsilon 1.50 spent, 0.50 left (porto, least of 2)",
        ),
        ([("lyon", 2.5, 2.0)], "  epsilon 2.50 spent, 0.00 left (lyon)"),
    ],
)
def test_a_rounds_line_names_the_site_with_least_left(budgets, line):
    told = [{"name": n, "epsilon": spent, "max_epsilon": most} for n, spent, most in budgets]
    assert say_budget(told) == line
