from dataclasses import replace

import pytest

from client.uses import planned, uses_of
from fusion.config import from_flat
from privacy.events import PrivacyEvent
from privacy.mechanisms import Noise
from privacy.releases import NOISED


def run(**changes):
    return from_flat({"objective.name": "discrete-time", "rounds": 12, **changes})


def test_a_run_validates_each_round_and_the_last_model():
    assert uses_of(run())["validation"] == 13
    assert uses_of(run())["test"] == 1


@pytest.mark.parametrize(("every", "audits"), [(0, 1), (5, 3), (12, 2), (13, 1)])
def test_a_run_is_audited_where_that_is_due_and_at_the_end(every, audits):
    # every 5 of 12 rounds: after rounds 5 and 10, and the chosen model
    assert uses_of(run(**{"audit.every": every}))["audit"] == audits


def test_public_statistics_and_backgrounds_ask_for_nothing():
    asked = uses_of(run(**{"data.scaling": "public.json", "audit.background": "zero"}))
    assert (asked["scaling"], asked["background"]) == (0, 0)
    assert set(asked) == set(NOISED)


def test_the_plan_holds_each_noise_as_often_as_it_is_used():
    noises = {"validation": Noise("gaussian", 30.0), "scaling": Noise("laplace", 2.0)}
    public = replace(run(), data=replace(run().data, scaling="public.json"))
    assert planned(noises, public) == (PrivacyEvent("gaussian", 30.0, count=13),)
