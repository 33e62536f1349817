"""What a policy's minimums and rounding do to a whole run, plain or private, and to a re-audit."""

import html
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from client.app import app
from client.site import forget_sites
from fusion.config import flatten
from server.fitting import settings_for
from server.reaudit import reaudit
from server.report.page import render
from server.schema import validate, validate_audit
from server.summary import summarise
from simulations.federation import InlineGrid, site_nodes

POLICY = """
[cohort]
public-size = 20
minimum-patients = {patients}
minimum-events = {events}
round-counts-to = {unit}
[budget]
non-private-training = true
"""
TOLD = "by the site's policy no figure of it alone is over fewer than"


def govern(sites, *names, patients=9, events=2, unit=10):
    """The synthetic sites have 10 training, 6 validation and 8 test patients."""
    for name in names:
        text = POLICY.format(patients=patients, events=events, unit=unit)
        (sites / name / "policy.toml").write_text(text)


@pytest.fixture(scope="module")
def kept(hospitals, tiny, lead, tmp_path_factory):
    """A plain run: lyon keeps figures over fewer than nine; bergen and porto have no policy."""
    sites = Path(shutil.copytree(hospitals, tmp_path_factory.mktemp("kept") / "sites"))
    govern(sites, "lyon")
    return lead(tiny({"audit.every": 1}, sites=sites))


def entry(entries, name):
    return next(one for one in entries if one["name"] == name)


def of_lyon(run, kind):
    return [e.reply.content for e in run.exchanges if (e.site, e.kind) == ("lyon", kind)]


def test_counts_of_the_site_are_told_rounded_and_the_others_exactly(kept):
    validate(kept.result)
    lyon, porto = (entry(kept.result["sites"], name) for name in ("lyon", "porto"))
    assert lyon["patients"] == {"total": 30, "train": 10, "validation": 10, "test": 10}
    assert set(lyon["events"].values()) <= {10, 20, 30}
    assert set(lyon["missing"].values()) <= {0, 10}
    assert lyon["disclosure"]["round_counts_to"] == 10
    assert porto["patients"] == {"total": 24, "train": 10, "validation": 6, "test": 8}
    assert porto["disclosure"] is None


def test_figures_over_too_few_do_not_even_leave_the_site(kept):
    (told,) = [c for c in of_lyon(kept, "evaluate") if "uno" in c["sums"]]
    assert set(told["facts"]["suppressed"]) == {"figures", "audit"}
    for name in ("concordance", "uno"):
        assert told["sums"][name].numpy()[:2].tolist() == [0.0, 0.0]
    assert told["sums"]["outcome-counts"].numpy().sum() > 0


def test_the_result_shows_suppressed_and_why(kept):
    lyon = entry(kept.result["evaluation"]["sites"], "lyon")
    assert (lyon["patients"], lyon["note"]) == (10, "suppressed")
    for name in ("concordance", "uno", "integrated_brier"):
        assert lyon[name]["value"] is None
        assert TOLD in lyon[name]["reason"]
    assert any(f"Figures of site lyon alone: suppressed: {TOLD} 9" in told
               for told in kept.result["not_measured"])  # fmt: skip


def test_in_a_sum_over_all_sites_small_numbers_count(kept):
    assert kept.result["evaluation"]["pooled"]["patients"] == 24
    assert kept.result["evaluation"]["pooled"]["concordance"]["value"] is not None
    assert kept.result["audit"]["patients"] > 14


def test_one_missing_figure_does_not_follow_from_the_others(kept):
    """Brier sums add up, so with 24 patients in all lyon's 8 would follow from the other 16."""
    others = [entry(kept.result["evaluation"]["sites"], name) for name in ("bergen", "porto")]
    left_out = [one for one in others if one["note"] == "suppressed"]
    assert len(left_out) == 1
    assert "would give away the one other site's" in left_out[0]["integrated_brier"]["reason"]
    names = {one["name"] for one in kept.result["audit"]["sites"]}
    assert "lyon" not in names
    assert len(names) == 1
    assert {one["name"] for one in kept.result["audit"]["suppressed"]} | names == {
        "bergen", "lyon", "porto",
    }  # fmt: skip


def test_rounds_show_no_more_than_the_closing(kept):
    for record in kept.result["rounds"][1:]:
        lyon = entry(record["sites"], "lyon")
        assert (lyon["concordance"], lyon["low"], lyon["patients"]) == (None, None, 10)
        assert "lyon" not in {one["name"] for one in record["audit"]["sites"]}


def test_report_and_console_say_it(kept):
    page = render(kept.result)
    text = re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page)))
    assert f"suppressed: {TOLD} 9 patients or 2 events" in text
    assert "Counts of lyon are rounded to 10 by its policy." in text
    assert "lyon is not shown alone: suppressed" in text
    assert re.search(r"lyon +10 +10 +suppressed +- +suppressed", summarise(kept.result))


def test_a_re_audit_keeps_the_same_figures_and_says_what_it_cost(kept, tmp_path):
    model = kept.folder / "model.safetensors"
    config = settings_for(model, out=tmp_path / "again", split="test", changes={})
    config = replace(config, sites=kept.config.sites)
    try:
        found = reaudit(InlineGrid(app, site_nodes(config), flatten(config)), config)
    finally:
        forget_sites()
    validate_audit(found)
    assert found["audit"]["suppressed"] == kept.result["audit"]["suppressed"]
    assert entry(found["sites"], "lyon")["patients"]["test"] == 10
    assert found["privacy"]["statement"].startswith("Nothing was trained. Exact sums")


def test_a_sum_over_one_site_alone_is_its_own_figure(own_hospitals, tiny, lead):
    for name in ("bergen", "porto"):
        shutil.rmtree(own_hospitals / name)
    govern(own_hospitals, "lyon")
    result = lead(tiny({"rounds": 1}, sites=own_hospitals)).result
    validate(result)
    pooled = result["evaluation"]["pooled"]
    for name in ("concordance", "uno", "integrated_brier", "within_sites"):
        assert "over the patients of one site" in pooled[name]["reason"]
    assert pooled["patients"] == 0
    assert result["audit"] is None
    assert json.dumps(result).count("suppressed") >= 6


def test_training_weights_and_loss_follow_the_policy(own_hospitals, tiny, lead):
    govern(own_hospitals, "lyon", patients=11, unit=3)
    run = lead(tiny({"rounds": 1}, sites=own_hospitals))
    (told,) = of_lyon(run, "train")
    assert told["figures"]["num-examples"] == 9.0
    assert "train-loss" not in told["figures"]
    assert "train-loss" in told["facts"]["suppressed"]
    assert run.result["rounds"][1]["answered"] == ["bergen", "lyon", "porto"]


def test_large_enough_figures_are_shown(own_hospitals, tiny, lead):
    govern(own_hospitals, "lyon", patients=2, events=0)
    result = lead(tiny({"rounds": 1}, sites=own_hospitals)).result
    lyon = entry(result["evaluation"]["sites"], "lyon")
    assert lyon["concordance"]["value"] is not None
    assert result["audit"]["suppressed"] == []
