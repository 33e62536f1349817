import numpy as np
import pytest

from fusion.errors import FederationError
from fusion.interaction.scales import Scale
from fusion.interaction.tallies import audit_tally
from server.audits import collect, readable_audit
from server.inbox import Answer

BOTH = ("slides", "omics")
SCALE = Scale("survival", 365.25)


def answer(site="lyon", figures=None, sums=None, facts=None, seed=0):
    rng = np.random.default_rng(seed)
    tally = audit_tally(
        rng.standard_normal((12, 4)), modalities=BOTH,
        time=rng.uniform(1, 9, 12), event=rng.random(12) > 0.5,
    ).to_array()  # fmt: skip
    held = {"audit": tally, SCALE.release: tally} if sums is None else sums
    return Answer(site, facts or {}, figures or {}, held, {})


def test_sites_are_added_up_on_each_scale():
    found = collect([answer("bergen", seed=1), answer("lyon", seed=2)], BOTH)
    (scale,) = found.by_scale([SCALE, Scale("survival", 1.0)])
    assert (found.figures()["patients"], scale["patients"]) == (24, 24)
    assert (scale["scale"], scale["horizon_days"]) == ("survival", 365.25)
    assert "exponential of a sum is a product" in scale["warning"]
    assert scale["shares"]["local"]["standard_error"] > 0


def test_a_site_that_did_not_audit_is_told_with_its_reason():
    silent = answer("porto", sums={}, facts={"not-audited": "too few"})
    found = collect([answer(figures={"donors": 7.0}), silent], BOTH)
    assert found.notes("marginal", 100) | {"note": ""} == {
        "not_audited": [{"name": "porto", "reason": "too few"}], "suppressed": [],
        "donors": {"lyon": 7}, "donors_wanted": 100, "note": "",
    }  # fmt: skip
    assert list(found.notes("zero", 100)) == ["not_audited", "suppressed"]


@pytest.mark.parametrize("donors", [1, float("nan"), float("inf"), -3.0, [4.0, 5.0]])
def test_donors_that_are_no_count_are_refused(donors):
    with pytest.raises(FederationError, match="Donors must be a count from 2 on"):
        readable_audit(answer(figures={"donors": donors}), BOTH)


def test_a_tally_of_any_scale_that_does_not_fit_is_refused():
    whole = answer()
    spoiled = {**whole.sums, SCALE.release: whole.sums["audit"][:-1]}
    readable_audit(whole, BOTH)
    with pytest.raises(FederationError, match="Audit of 2 modalities must be"):
        readable_audit(answer(sums=spoiled), BOTH)
