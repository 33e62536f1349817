from pathlib import Path

import pytest

from fusion.readers.columns import column_meanings, identity_columns, slide_table_columns
from fusion.readers.findings import Findings
from fusion.readers.site import ClinicalTable, SlideTable


def understand(columns, **told):
    findings = Findings()
    meanings = column_meanings(columns.split(), ClinicalTable(Path("c.csv"), **told), findings)
    return meanings, " ".join(finding.message for finding in findings.found)


def test_native_columns_are_recognised():
    meanings, _ = understand("patient slide time_days event age")
    assert (meanings.patient, meanings.slide) == ("patient", "slide")
    assert (meanings.time, meanings.unit) == ("time_days", "days")
    assert (meanings.status, meanings.event_values, meanings.censored_values) == (
        "event",
        ("1",),
        ("0",),
    )


def test_mahmood_columns_are_recognised_and_censorship_is_said_to_be_turned_round():
    meanings, _ = understand("case_id slide_id site survival_months censorship")
    assert (meanings.unit, meanings.event_values, meanings.censored_values) == (
        "months",
        ("0",),
        ("1",),
    )
    told = " ".join(meanings.sentences())
    assert "`survival_months` is follow-up in months, turned into days by 30.4375." in told
    assert "`censorship` 0 = event seen, 1 = censored (the inverse of an event" in told


def test_what_the_site_says_comes_before_recognised_names():
    meanings, _ = understand(
        "id patient os time_days event",
        patient="id", time="os", time_unit="years", event="event",
        event_values=("2",), censored_values=("1",),
    )  # fmt: skip
    assert (meanings.patient, meanings.time, meanings.unit) == ("id", "os", "years")
    assert (meanings.event_values, meanings.censored_values) == (("2",), ("1",))


@pytest.mark.parametrize("name", ["PATIENT", "Patient_ID", "case_id"])
def test_patient_is_recognised_in_any_case_of_letters(name):
    assert understand(f"{name} SLIDE_ID time_days event")[0].patient == name


def test_several_statuses_may_mean_one_thing():
    meanings, _ = understand(
        "patient time_days cause", event="cause",
        event_values=("1", "2"), censored_values=("0",),
    )  # fmt: skip
    assert "`cause` 1 or 2 = event seen, 0 = censored." in meanings.sentences()


def slide_columns(columns, **told):
    findings = Findings()
    found = slide_table_columns(columns.split(), SlideTable(Path("s.csv"), **told), findings)
    return found, " ".join(finding.message for finding in findings.found)


@pytest.mark.parametrize("columns", ["PATIENT FILENAME", "patient_id slide", "stain SLIDE CASE_ID"])
def test_columns_of_a_slide_table_are_recognised(columns):
    assert slide_columns(columns)[0] is not None


@pytest.mark.parametrize(
    ("columns", "told", "match"),
    [
        ("PATIENT path", {}, "Slide table must have a column that is certainly the slide (slide, "
         "slide_id, filename), got PATIENT, path. Write slide = \"...\", the column that is it, "
         "under [slides] in site.toml."),
        ("who slide", {}, "Slide table must have a column that is certainly the patient"),
        ("who slide", {"patient": "whom"}, "must have the column `whom` that site.toml names as"),
    ],
)  # fmt: skip
def test_slide_table_that_is_not_certain_is_asked_for(columns, told, match):
    found, message = slide_columns(columns, **told)
    assert found is None
    assert match in message


def test_a_slide_table_makes_the_clinical_tables_slides_a_plain_column():
    told = ClinicalTable(Path("c.csv"), slides=SlideTable(Path("s.csv")))
    findings = Findings()
    columns = ["patient", "slide", "slide_id", "time_days", "event"]
    assert column_meanings(columns, told, findings).slide is None


def test_table_without_a_slide_column_is_understood():
    assert understand("patient time_days event")[0].slide is None


@pytest.mark.parametrize(
    ("columns", "told", "match"),
    [
        ("patient time_days vital_status age", {},
         "certainly the event (event, censorship), got vital_status."),
        ("patient time_days OS", {}, "certainly the event (event, censorship), got OS."),
        ("patient time_days event censorship", {}, "certainly the event, got event, censorship."),
        ("patient time_days status", {"event": "status"},
         "must say what the values of `status` mean"),
        ("patient time event", {}, "certainly the time"),
        ("patient time event", {"time": "time"}, "must have a unit for its time `time`, got none"),
        ("patient time_days survival_months event", {},
         "certainly the time, got time_days, survival_months"),
        ("patient case_id time_days event", {}, "certainly the patient, got patient, case_id"),
        ("id time_days event", {}, "certainly the patient (patient, patient_id, case_id), got id"),
        ("patient slide slide_id time_days event", {}, "certainly the slide, got slide, slide_id"),
        ("patient time_days event", {"event": "evnt"},
         "column `evnt` that site.toml names as the event"),
    ],
)  # fmt: skip
def test_meaning_that_is_not_certain_is_asked_for(columns, told, match):
    meanings, message = understand(columns, **told)
    assert meanings is None
    assert match in message
    assert "site.toml" in message


@pytest.mark.parametrize(
    ("columns", "told", "outcomes"),
    [
        ("patient age", {}, ()),
        ("patient time_days survival_months event censorship", {},
         ("time_days", "survival_months", "event", "censorship")),
        ("patient fu dead time_days", {"time": "fu", "event": "dead"}, ("fu", "dead")),
        ("patient age", {"time": "fu", "event": "dead"}, ()),
    ],
)  # fmt: skip
def test_outcome_columns_are_named_but_need_not_exist(columns, told, outcomes):
    findings = Findings()
    found = identity_columns(columns.split(), ClinicalTable(Path("c.csv"), **told), findings)
    assert (found.patient, found.slide, found.outcomes) == ("patient", None, outcomes)
    assert not findings.found
    assert all(f"`{name}` is an outcome: not read." in found.sentences() for name in outcomes)


def test_every_uncertain_column_is_asked_for_at_once():
    _, message = understand("id time status")
    assert all(f"certainly the {role}" in message for role in ("patient", "time", "event"))
