import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load

from fusion.readers.cohort import read_cohort


def edit(site, old, new):
    path = site / "site.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def rewrite(site, change):
    change(pd.read_csv(site / "clinical.csv")).to_csv(site / "clinical.csv", index=False)


def of(result, name):
    return next(site for site in result["sites"] if site["name"] == name)


@pytest.fixture
def run(tiny, lead, own_hospitals):
    def run(changes=None):
        found = lead(tiny({"rounds": 1, **(changes or {})}, sites=own_hospitals))
        assert found.result["rounds"][1]["failed"] == []
        return found

    return run


@pytest.mark.parametrize("way", ["site.toml", "setting"])
def test_an_evaluate_only_site_is_tested_and_never_trains(run, own_hospitals, way):
    if way == "site.toml":
        edit(own_hospitals / "lyon", 'role = "train"', 'role = "evaluate-only"')
    found = run({"split.hold-out": "lyon"} if way == "setting" else None)
    assert {e.kind for e in found.exchanges if e.site == "lyon"} == {"query.describe", "evaluate"}
    told = of(found.result, "lyon")
    assert (told["role"], told["patients"]["test"], told["rounds_answered"]) == (
        "evaluate-only",
        24,
        0,
    )
    assert any("other than those held out" in text for text in found.result["not_measured"])


def test_only_held_out_sites_are_tested_if_the_others_keep_no_test(run, own_hospitals):
    edit(own_hospitals / "lyon", 'role = "train"', 'role = "evaluate-only"')
    found = run({"split.test": 0.0})
    assert [site["name"] for site in found.result["evaluation"]["sites"]] == ["lyon"]


@pytest.mark.parametrize("objective", ["cox", "discrete-time"])
def test_a_site_without_events_trains_and_is_counted(run, own_hospitals, objective):
    rewrite(own_hospitals / "lyon", lambda table: table.assign(event=0))
    found = run({"objective.name": objective})
    assert found.result["rounds"][1]["answered"] == ["bergen", "lyon", "porto"]
    site = next(s for s in found.result["evaluation"]["sites"] if s["name"] == "lyon")
    assert site["note"] == "0 events: not interpretable"
    assert site["concordance"]["value"] is None
    assert site["concordance"]["reason"]
    lyon = next(e for e in found.exchanges if e.round and e.site == "lyon")
    assert (lyon.reply.content["figures"]["train-loss"] == 0) == (objective == "cox")


SHARED = {"objective.name": "federated-cox", "rounds": 2}


def test_a_site_without_events_learns_from_risk_sets_across_sites(run, own_hospitals):
    rewrite(own_hospitals / "lyon", lambda table: table.assign(event=0))
    found = run(SHARED | {"training.weight-decay": 0.0})
    first, second = (e for e in found.exchanges if e.round and e.site == "lyon")
    assert not moved(first)
    assert moved(second)
    assert found.result["rounds"][2]["failed"] == []


def moved(exchange):
    received, sent = exchange.request.content["model"], exchange.reply.content["model"]
    return any((sent[name].numpy() != received[name].numpy()).any() for name in received)


def test_a_site_that_only_evaluates_is_in_no_risk_set(run):
    found = run(SHARED | {"split.hold-out": "lyon"})
    asked = [e for e in found.exchanges if e.round == 2]
    assert [e.site for e in asked] == ["bergen", "porto"]
    for mine, theirs in (asked, asked[::-1]):
        given = mine.request.content["arrays"]["risk-set"].numpy()
        told = next(e for e in found.exchanges if e.round == 1 and e.site == theirs.site)
        assert (given == told.reply.content["sums"]["risk-set"].numpy()).all()


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_one_site_with_shared_risk_sets_trains_the_weights_of_cox(
    run, own_hospitals, tmp_path, ties
):
    for name in ("lyon", "porto"):
        (own_hospitals / name).rename(tmp_path / name)
    chosen = {"rounds": 3, "objective.ties": ties}
    shared, cox = (run(chosen | {"objective.name": n}) for n in ("federated-cox", "cox"))
    one, other = (
        [e.reply.content["model"] for e in found.exchanges if e.round] for found in (shared, cox)
    )
    for mine, theirs in zip(one, other, strict=True):
        assert all((mine[name].numpy() == theirs[name].numpy()).all() for name in theirs)
    assert shared.result["evaluation"] == cox.result["evaluation"]


def test_two_sites_are_enough(run, own_hospitals, tmp_path):
    (own_hospitals / "lyon").rename(tmp_path / "elsewhere")
    assert len(run().result["sites"]) == 2


def test_one_site_is_enough(run, own_hospitals, tmp_path):
    for name in ("lyon", "porto"):
        (own_hospitals / name).rename(tmp_path / name)
    assert run().result["evaluation"]["pooled"]["concordance"]["value"] is not None


@pytest.mark.parametrize("model", ["gated", "cross_attention", "late"])
def test_a_site_without_slides_trains_with_the_others(run, own_hospitals, model):
    text = (own_hospitals / "lyon" / "site.toml").read_text()
    start, end = text.index("[features]"), text.index("[clinical]")
    (own_hospitals / "lyon" / "site.toml").write_text(text[:start] + text[end:])
    found = run({"model.name": model})
    assert of(found.result, "lyon")["missing"]["slides"] == 24
    audit = {site["name"]: site for site in found.result["audit"]["sites"]}
    assert audit["lyon"]["patients"] == 0
    assert audit["lyon"]["shares"]["local"]["value"] is None


def test_a_site_without_omics_trains_with_the_others(run, own_hospitals):
    edit(own_hospitals / "lyon", '[omics]\nrna = "rna.parquet"\n', "")
    found = run()
    assert of(found.result, "lyon")["missing"]["omics"] == 24
    assert found.result["inputs"]["tables"] == ["rna"]


def test_genes_in_another_order_change_nothing(run, own_hospitals, tiny, lead):
    straight = lead(tiny({"rounds": 1}))
    path = own_hospitals / "lyon" / "rna.parquet"
    table = pd.read_parquet(path)
    table[["patient", *table.columns[:0:-1]]].to_parquet(path, index=False)
    weights = load(run().model)
    for name, expected in load(straight.model).items():
        np.testing.assert_array_equal(weights[name], expected, err_msg=name)


def test_genes_that_one_site_lacks_are_left_out_and_counted(run, own_hospitals):
    path = own_hospitals / "lyon" / "rna.parquet"
    pd.read_parquet(path).drop(columns=["GENE01", "GENE07"]).to_parquet(path, index=False)
    told = run().result["inputs"]
    assert (told["features_used"], told["features_dropped"]) == (38, 2)


def test_a_censored_patient_of_zero_time_is_kept(run, own_hospitals):
    patient = read_cohort(own_hospitals / "lyon").patients[0]
    rewrite(own_hospitals / "lyon", lambda table: table.assign(
        time_days=table["time_days"].where(table["patient"] != patient, 0),
        event=table["event"].where(table["patient"] != patient, 0),
    ))  # fmt: skip
    assert of(run().result, "lyon")["patients"]["total"] == 24


def test_a_site_of_two_patients_takes_part(run, own_hospitals):
    rewrite(own_hospitals / "lyon", lambda table: table[table["patient"].isin(
        sorted(set(table["patient"]))[:2])])  # fmt: skip
    assert (
        sum(of(run().result, "lyon")["patients"][k] for k in ("train", "validation", "test")) == 2
    )
