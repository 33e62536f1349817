import pytest
from flwr.app import Error, Message

from fusion.errors import FederationError
from fusion.interaction.tallies import AuditTally
from fusion.survival.tallies import OutcomeCounts
from fusion.training.examination import Yardstick
from server.closing import CENSORING_SOURCE


def closing(finished, kind="evaluate", split="test"):
    return [
        e
        for e in finished.exchanges
        if e.kind == kind and e.request.content["request"].get("split", split) == split
    ]


def test_test_patients_are_met_once_and_last(finished):
    splits = [e.request.content["request"].get("split") for e in finished.exchanges
              if e.kind not in ("query.describe", "query.scaling")]  # fmt: skip
    assert splits.count("test") == 3
    assert splits[-3:] == ["test"] * 3
    assert set(splits[:-3]) == {None, "validation"}


def test_no_test_patient_is_counted_before_the_closing(finished):
    """Every count of an earlier exchange is of training or validation patients alone."""
    sizes = {site["name"]: site["patients"] for site in finished.result["sites"]}
    for seen in finished.exchanges[:-3]:
        if "outcome-counts" in seen.reply.content["sums"]:
            counted = seen.reply.content["sums"]["outcome-counts"].numpy().sum()
            assert counted == sizes[seen.site]["validation"]


def test_the_model_tested_is_the_one_chosen(finished):
    chosen = finished.result["model"]["chosen_round"]
    sent = closing(finished)[0].request.content["model"]
    after = {e.round: e.request.content["model"] for e in finished.exchanges if e.round}
    validated = closing(finished, split="validation")[0].request.content["model"]
    expected = {**{number - 1: model for number, model in after.items()}, 2: validated}[chosen]
    assert all((sent[name].numpy() == expected[name].numpy()).all() for name in sent)


def test_all_sites_measure_with_the_same_yardstick(finished):
    words = [dict(e.request.content["request"]) for e in closing(finished)]
    assert words[0] == words[1] == words[2]
    assert words[0]["censoring-source"] == CENSORING_SOURCE
    assert words[0]["tau"] > 0
    baseline = words[0]["baseline"]
    assert baseline == sorted(baseline)


def test_every_test_patient_is_in_the_pooled_counts(finished):
    pooled = finished.result["evaluation"]["pooled"]
    sites = finished.result["sites"]
    assert pooled["patients"] == sum(site["patients"]["test"] for site in sites)
    assert pooled["events"] == sum(site["events"]["test"] for site in sites)


def test_the_pooled_figure_is_that_of_the_added_counts(finished):
    config, words = finished.config, closing(finished)[0].request.content["request"]
    yardstick = Yardstick.from_words(dict(words), config.evaluation)
    grids = {"time_grid": yardstick.time_grid, "risk_grid": yardstick.risk_grid}
    total = sum(e.reply.content["sums"]["outcome-counts"].numpy() for e in closing(finished))
    found = OutcomeCounts.from_array(total, **grids).concordance().estimate.value
    assert finished.result["evaluation"]["pooled"]["concordance"]["value"] == found


def test_the_audit_is_of_complete_test_patients(finished):
    audit = finished.result["audit"]
    tallies = [
        AuditTally.from_array(e.reply.content["sums"]["audit"].numpy(), ("slides", "omics"))
        for e in closing(finished)
    ]
    assert audit["patients"] == sum(tally.count for tally in tallies)
    assert (
        audit["patients"] + audit["excluded"] == finished.result["evaluation"]["pooled"]["patients"]
    )
    assert [site["name"] for site in audit["sites"]] == ["bergen", "lyon", "porto"]


@pytest.mark.parametrize("background", ["embedding-mean", "input-mean", "zero"])
def test_every_background_audits(tiny, lead, background):
    run = lead(tiny({"audit.background": background, "rounds": 1}))
    assert run.result["audit"]["background"] == background
    sent = closing(run)[0].request.content["arrays"]
    zero = all(not array.numpy().any() for array in sent.values())
    assert zero == (background == "zero")
    told = [e.reply.content["sums"] for e in run.exchanges if e.kind == "query.reference"]
    assert all(("embedding-means" in sums) == (background == "embedding-mean") for sums in told)


def test_a_model_of_one_modality_is_not_audited(tiny, lead):
    run = lead(tiny({"model.name": "omics_only", "rounds": 1, "audit.every": 1}))
    assert run.result["audit"] is None
    assert "arrays" not in closing(run)[0].request.content
    assert any("reads one modality only" in text for text in run.result["not_measured"])


@pytest.fixture(scope="module")
def donated(tiny, lead):
    """Late fusion with donors, on all scales, with a hospital that only evaluates."""
    changes = {
        "model.name": "late", "audit.background": "marginal", "audit.every": 1,
        "audit.donors": 5, "audit.scales": "survival,cumulative-hazard",
        "evaluation.horizons": "500,1500", "split.hold-out": "porto",
    }  # fmt: skip
    return lead(tiny(changes))


def test_late_fusion_does_not_interact(donated):
    shares = donated.result["audit"]["shares"]
    assert abs(shares["local"]["value"]) < 1e-6


def test_on_scales_that_read_time_it_does_and_the_result_warns(donated):
    scales = donated.result["audit"]["scales"]
    found = [(scale["scale"], scale["horizon_days"]) for scale in scales]
    assert found == [
        ("survival", 500), ("survival", 1500),
        ("cumulative-hazard", 500), ("cumulative-hazard", 1500),
    ]  # fmt: skip
    for scale in scales:
        assert scale["shares"]["local"]["value"] > 1e-3
        assert scale["shares"]["variance"]["standard_error"] > 0
        assert scale["warning"].startswith("This scale creates interaction")


def test_with_donors_nothing_is_shared_and_a_site_without_says_so(donated):
    audit = donated.result["audit"]
    assert all("arrays" not in e.request.content for e in closing(donated))
    assert audit["background"] == "marginal"
    assert (audit["donors"], audit["donors_wanted"]) == ({"bergen": 5, "lyon": 5}, 5)
    (refused,) = audit["not_audited"]
    assert refused["name"] == "porto"
    assert "needs two or more training patients" in refused["reason"]
    assert [site["name"] for site in audit["sites"]] == ["bergen", "lyon"]
    assert any(s.startswith("Interaction at site porto") for s in donated.result["not_measured"])


def test_a_rounds_audit_has_the_same_donors(donated):
    audit = donated.result["rounds"][1]["audit"]
    assert (audit["background"], audit["donors"]) == ("marginal", {"bergen": 5, "lyon": 5})
    assert audit["shares"]["local"]["value"] < 1e-6


def test_where_no_site_has_donors_there_is_no_audit(tiny, lead, watching):
    def at(seen):
        if seen.kind == "evaluate" and "audit" in seen.reply.content["sums"]:
            del seen.reply.content["sums"]["audit"]
            seen.reply.content["facts"]["not-audited"] = "too few"
        return seen.reply

    result = lead(tiny({"rounds": 1, "audit.background": "marginal"}), watching(at)).result
    assert result["audit"] is None
    assert "Interaction of modalities: no site could audit." in result["not_measured"]


@pytest.mark.parametrize(("kind", "what"), [("query.reference", "reference"), ("evaluate", "test")])
def test_a_closing_that_nobody_answers_is_an_error(tiny, lead, watching, kind, what):
    def at(seen):
        silent = Message(Error(code=100, reason="off"), reply_to=seen.request)
        return silent if seen.kind == kind else None

    with pytest.raises(FederationError, match=rf"answer with its {what} .*got none of 3\. Resume"):
        lead(tiny({"rounds": 1}), watching(at))
