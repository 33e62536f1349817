"""A deep network on few patients with a small epsilon is advised against, wherever one looks."""

import pytest

import server.rounds
from fusion.config import from_flat
from server.advice import advise
from server.report import render
from server.summary import summarise
from tests.server.sample_result import sample_result

PRIVATE = from_flat({"privacy.mode": "record-level", "model.name": "gated"})


def site(name="lyon", *, size=90.0, cost=3.0, most=8.0):
    return {"name": name, "public_size": size, "run_epsilon": cost, "max_epsilon": most}


def test_the_advice_names_the_sites_and_the_small_head():
    (told,) = advise([site(), site("porto", size=100.0), site("graz", cost=3.01)], PRIVATE)
    assert told.endswith("a weighted sum of fixed embeddings.")
    assert "at lyon: most" in told
    assert not advise([site(cost=None)], PRIVATE)


def test_before_a_run_has_cost_anything_the_sites_limit_counts():
    assert not advise([site()], PRIVATE, epsilon="max_epsilon")
    assert advise([site(most=2.0)], PRIVATE, epsilon="max_epsilon")


@pytest.mark.parametrize(
    ("key", "value"),
    [("model.name", "small_head"), ("model.name", "linear"), ("privacy.mode", "none")],
)
def test_no_advice_for_few_weights_or_without_noise(key, value):
    assert not advise([site()], from_flat({key: value}, PRIVATE))


def test_the_first_round_says_so_on_the_console_and_the_others_do_not(caplog):
    for number in (1, 2):
        server.rounds._warn({"round": number, "privacy": [site(most=3.0)]}, PRIVATE)
    (warned,) = caplog.messages
    assert "Set model.name = small_head" in warned


def test_summary_and_report_show_the_advice():
    result = sample_result()
    result["privacy"]["advice"] = advise([site()], PRIVATE)
    assert "advice: Model 'gated' learns" in summarise(result)
    assert "Set model.name = small_head" in render(result)
