"""A re-audit is the closing audit of the run once more, and nothing else."""

import copy
import json
import shutil
from dataclasses import replace

import pandas as pd
import pytest

from client.site import forget_sites
from fusion.config import flatten
from fusion.errors import ConfigError, FederationError, ModelFileError
from fusion.training.checkpoint import load_arrays, save_arrays
from server.fitting import settings_for
from server.reaudit import reaudit
from server.schema import validate_audit
from simulations.federation import InlineGrid, site_nodes


@pytest.fixture(scope="module")
def again(tmp_path_factory, hospitals, watching):
    """Audit a finished run's model again; return the audit and the exchanges."""

    def again(run, changes=None, *, sites=hospitals, split="test", change=None):
        out = tmp_path_factory.mktemp("again") / "out"
        model = run.folder / "model.safetensors"
        config = settings_for(model, out=out, split=split, changes=changes or {})
        config = replace(config, sites=str(sites))
        watch = watching(change)
        try:
            found = reaudit(InlineGrid(watch, site_nodes(config), flatten(config)), config)
        finally:
            forget_sites()
        validate_audit(found)
        return found, watch.exchanges

    return again


def close(one, other):
    """Compare two audits: words and counts equal, numbers to 1e-10."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(close(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(close, one, other))
    return one == pytest.approx(other, abs=1e-10, rel=0) if isinstance(one, float) else one == other


def test_it_equals_the_closing_audit_of_the_run(finished, again):
    found, _ = again(finished)
    assert close(found["audit"], finished.result["audit"])
    closing = [one for one in finished.result["alerts"] if one["stage"] == "closing"]
    assert found["alerts"] == closing
    assert found["model"]["sha256"] == finished.result["model"]["sha256"]
    assert found["model"]["round"] == finished.result["model"]["chosen_round"]


@pytest.mark.parametrize("background", ["input-mean", "zero", "marginal"])
def test_it_equals_the_run_under_every_other_background(finished, again, tiny, lead, background):
    """The same seed trains the same model, whatever its audit hides modalities behind."""
    asked = {"audit.background": background, "audit.scales": "survival", "audit.donors": "5"}
    run = lead(tiny({"audit.every": 1, **asked}))
    found, _ = again(finished, asked)
    assert close(found["audit"], run.result["audit"])
    assert found["audit"]["scales"]


def test_a_mean_embedding_that_the_file_lacks_is_asked_of_the_sites(finished, again, tiny, lead):
    run = lead(tiny({"audit.every": 1, "audit.background": "zero"}))
    found, exchanges = again(run, {"audit.background": "embedding-mean"})
    assert [e.kind for e in exchanges].count("query.reference") == 3
    assert close(found["audit"], finished.result["audit"])


def test_nothing_is_trained_scaled_or_asked_twice(finished, again):
    _, exchanges = again(finished)
    assert [e.kind for e in exchanges] == ["query.describe"] * 3 + ["evaluate"] * 3
    for seen in exchanges[3:]:
        assert seen.reply.content.array_records.keys() == {"sums"}


@pytest.mark.parametrize("split", ["train", "validation"])
def test_the_split_is_that_of_the_run_and_named(finished, again, split):
    found, _ = again(finished, split=split)
    audit = found["audit"]
    assert audit["split"] == split
    sizes = {site["name"]: site["patients"][split] for site in finished.result["sites"]}
    assert audit["patients"] + audit["excluded"] == sum(sizes.values())
    assert {site["name"]: site["patients"][split] for site in found["sites"]} == sizes


def test_personal_heads_meet_the_model_again(again, tiny, lead):
    run = lead(tiny({"rounds": 1, "federation.personal": "head"}))
    found, _ = again(run)
    assert close(found["audit"], run.result["audit"])


def test_a_site_that_lost_its_head_is_named_and_the_others_go_on(again, tiny, lead):
    run = lead(tiny({"rounds": 1, "federation.personal": "head"}))
    shutil.rmtree(run.folder / "state" / "lyon" / "models")
    found, _ = again(run)
    assert [site["name"] for site in found["audit"]["sites"]] == ["bergen", "porto"]
    assert any("Site lyon: It has no head of its own" in told for told in found["not_measured"])


def test_a_site_whose_data_changed_is_left_out(finished, again, own_hospitals):
    table = own_hospitals / "lyon" / "clinical.csv"
    table.write_text(table.read_text().replace(",1,", ",0,", 1))
    found, exchanges = again(finished, sites=own_hospitals)
    assert [site["name"] for site in found["audit"]["sites"]] == ["bergen", "porto"]
    assert [e.site for e in exchanges if e.kind == "evaluate"] == ["bergen", "porto"]
    (told,) = [told for told in found["not_measured"] if "lyon" in told]
    assert "its training patients could pass as test patients" in told


def test_a_site_that_would_test_its_training_patients_is_left_out(finished, again, own_hospitals):
    """The same tables; but a site that only evaluates tests everybody."""
    file = own_hospitals / "lyon" / "site.toml"
    file.write_text(file.read_text().replace('role = "train"', 'role = "evaluate-only"'))
    found, _ = again(finished, sites=own_hospitals)
    assert [site["name"] for site in found["audit"]["sites"]] == ["bergen", "porto"]


def test_a_new_site_is_audited_as_one_that_was_not_in_the_run(finished, again, own_hospitals):
    new = own_hospitals / "graz"
    shutil.copytree(own_hospitals / "lyon", new)
    file, table = new / "site.toml", new / "clinical.csv"
    file.write_text(file.read_text().replace('name = "lyon"', 'name = "graz"'))
    table.write_text(table.read_text().replace(",1,", ",0,", 1))
    found, _ = again(finished, sites=own_hospitals)
    assert {site["name"]: site["in_run"] for site in found["sites"]} == {
        "bergen": True, "graz": False, "lyon": True, "porto": True,
    }  # fmt: skip


def test_nobody_left_is_an_error_with_every_reason(finished, again, own_hospitals):
    for site in ("bergen", "lyon", "porto"):
        table = own_hospitals / site / "clinical.csv"
        table.write_text(table.read_text().replace(",1,", ",0,", 1))
    with pytest.raises(FederationError, match=r"must be able to audit .*bergen: its.*porto: its"):
        again(finished, sites=own_hospitals)


def test_a_federation_that_does_not_answer_is_an_error(finished, again):
    def silent(seen):
        if seen.kind == "evaluate":
            del seen.reply.content["sums"]
        return seen.reply

    with pytest.raises(FederationError, match=r"must be able to audit .*its answer lacks sums"):
        again(finished, change=silent)


def test_a_lone_patient_of_a_split_is_in_no_sum(again, tiny, lead, own_hospitals):
    """A site that has fixed one validation patient tells of nobody, here as in a run."""
    path = own_hospitals / "lyon" / "clinical.csv"
    table = pd.read_csv(path)
    table["split"] = ["validation"] + ["test"] * 8 + ["train"] * (len(table) - 9)
    table.to_csv(path, index=False)
    run = lead(tiny({"rounds": 1}, sites=own_hospitals))
    found, _ = again(run, sites=own_hospitals, split="validation")
    (lyon,) = [site for site in found["audit"]["sites"] if site["name"] == "lyon"]
    assert (lyon["patients"], lyon["excluded"]) == (0, 0)
    (site,) = [site for site in found["sites"] if site["name"] == "lyon"]
    assert site["patients"]["validation"] == 1


def test_a_model_of_one_modality_cannot_be_audited(again, tiny, lead):
    run = lead(tiny({"rounds": 1, "model.name": "omics_only"}))
    with pytest.raises(FederationError, match="a model of two or more modalities, got omics"):
        again(run)


def test_a_file_that_does_not_tell_its_data_is_refused(finished, again, tmp_path):
    arrays, card = load_arrays(finished.folder / "model.safetensors")
    del card["data"]
    config = replace(finished.config, out=str(tmp_path))
    save_arrays(tmp_path / "model.safetensors", arrays, card)
    with pytest.raises(FederationError, match="must tell which data it was trained with"):
        again(replace(finished, config=config))


def test_what_is_no_model_is_refused(finished, again, tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"no")
    with pytest.raises(ModelFileError, match="Model file must be one that Concord wrote"):
        again(replace(finished, config=replace(finished.config, out=str(tmp_path))))


@pytest.mark.parametrize("key", ["seed", "split.test", "data.clip", "model.width"])
def test_a_setting_the_model_was_trained_with_stays(finished, again, key):
    value = flatten(finished.config)[key]
    with pytest.raises(ConfigError, match=rf"must keep the settings of its model, got {key} = "):
        again(finished, {key: str(value + 1) if key != "split.test" else "0.3"})


def test_the_coordinator_checks_settings_too(finished, tmp_path, watching):
    model = str(finished.folder / "model.safetensors")
    changed = replace(finished.config, seed=99, out=str(tmp_path))
    changed = replace(changed, audit=replace(changed.audit, model_file=model))
    with pytest.raises(ConfigError, match=r"got seed = 99 where it was trained with 1"):
        reaudit(InlineGrid(watching(), [], {}), changed)


def test_a_re_audit_is_not_resumed(finished, tmp_path):
    model = finished.folder / "model.safetensors"
    with pytest.raises(ConfigError, match="must begin anew, got resume = true"):
        settings_for(model, out=tmp_path, split="test", changes={"resume": "true"})


def test_the_audit_holds_nothing_of_one_patient(finished, again):
    found, _ = again(finished)
    told = copy.deepcopy(found)
    for key in ("timings", "config", "versions", "model", "not_measured"):
        del told[key]
    assert "p0" not in json.dumps(told)
