import copy

import pytest

from server.summary import alerts, interval, percent, summarise


@pytest.mark.parametrize(
    ("figure", "text"),
    [
        ({"value": 0.7164, "low": 0.5, "high": 0.98765}, "0.716 (0.500-0.988)"),
        ({"value": 1.0, "low": None, "high": None}, "1.000"),
        ({"value": None, "low": None, "high": None}, "not measured"),
    ],
)
def test_a_figure_is_told_with_its_interval(figure, text):
    assert interval(figure) == text


def test_a_share_is_a_percentage():
    assert (percent(0.1234), percent(None)) == ("12.3 %", "-")


def test_every_site_has_a_line(finished):
    lines = summarise(finished.result).splitlines()
    for site in finished.result["evaluation"]["sites"]:
        line = next(line for line in lines if line.startswith(site["name"]))
        assert str(site["patients"]) in line
        assert interval(site["concordance"]) in line
    assert any(line.startswith("all, pooled-equivalent") for line in lines)


def test_the_statement_on_privacy_ends_it(finished):
    assert summarise(finished.result).endswith(finished.result["privacy"]["statement"])


def test_a_run_without_an_audit_has_dashes(finished):
    result = copy.deepcopy(finished.result)
    result["audit"] = None
    assert " -" in summarise(result)


def test_a_site_that_was_not_audited_says_why(finished):
    result = copy.deepcopy(finished.result)
    name = result["evaluation"]["sites"][0]["name"]
    result["audit"]["not_audited"] = [{"name": name, "reason": "it has no donors"}]
    (line,) = [line for line in summarise(result).splitlines() if line.startswith(name)]
    assert line.endswith("not audited: it has no donors")


def test_alerts_of_the_closing_are_told_and_those_of_the_rounds_counted(finished):
    found = [
        {"stage": "round", "sentence": "Round 2, all sites: a."},
        {"stage": "closing", "sentence": "Closing audit, all sites: b."},
    ]
    assert alerts(found) == [
        "alert: Closing audit, all sites: b.", "alerts in the rounds: 1, see result.json", "",
    ]  # fmt: skip
    assert "alert: Closing audit" in summarise(finished.result | {"alerts": found})
    assert "alert" not in summarise(finished.result | {"alerts": []})
    assert "alert" not in summarise({k: v for k, v in finished.result.items() if k != "alerts"})
