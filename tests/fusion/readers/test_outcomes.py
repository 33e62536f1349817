import numpy as np
import pandas as pd
import pytest

from fusion.errors import SiteError
from fusion.readers.findings import Findings
from fusion.readers.outcomes import clinical_numbers, read_identities, read_outcomes
from fusion.readers.site import ClinicalTable


def outcomes_of(tmp_path, text, **told):
    (tmp_path / "c.csv").write_text(text, encoding="utf-8")
    findings = Findings()
    return read_outcomes(ClinicalTable(tmp_path / "c.csv", **told), findings), findings


def test_months_and_censorship_become_days_and_events(tmp_path):
    text = "case_id,slide_id,site,survival_months,censorship\nB,b.svs,02,2.0,1\nA,,02,1.0,0\n"
    outcomes, _ = outcomes_of(tmp_path, text)
    assert outcomes.patients == ("A", "B")
    assert outcomes.time.tolist() == [30.4375, 60.875]  # 1 and 2 x 30.4375
    assert outcomes.event.tolist() == [True, False]
    assert outcomes.clinical.loc["A", "site"] == "02"


def test_rows_of_one_patient_become_one_patient_with_several_slides(tmp_path):
    text = "patient,slide,time_days,event\np,b.svs,5,1\np,a.svs,5,1\nq,,6,0\n"
    outcomes, _ = outcomes_of(tmp_path, text)
    assert outcomes.slides == (("a", "b"), ())


def test_status_words_are_read_as_the_site_says(tmp_path):
    text = "patient,time_days,vital\np,5,Dead\nq,6,Alive\n"
    outcomes, _ = outcomes_of(
        tmp_path, text, event="vital", event_values=("dead",), censored_values=("alive",)
    )
    assert outcomes.event.tolist() == [True, False]


def test_several_statuses_may_be_events(tmp_path):
    text = "patient,time_days,cause\np,5,1\nq,6,2.0\nr,7,0\n"
    told = {"event": "cause", "event_values": ("1", "2"), "censored_values": ("0",)}
    assert outcomes_of(tmp_path, text, **told)[0].event.tolist() == [True, True, False]
    _, findings = outcomes_of(tmp_path, text.replace("r,7,0", "r,7,3"), **told)
    assert "Status must be 1 or 2 or 0, got '3' at r" in findings.found[0].message


UNKNOWN = "patient,time_days,event\np,5,1\nq,,0\nr,7,NA\ns,9,0\nt,[Not Available],1\n"


def test_patients_without_an_outcome_are_refused_unless_left_out(tmp_path):
    _, findings = outcomes_of(tmp_path, UNKNOWN)
    assert "Time must be a finite number, got '' at q" in findings.found[0].message
    outcomes, findings = outcomes_of(tmp_path, UNKNOWN, leave_out=True)
    assert outcomes.patients == ("p", "s")
    assert "3 patients without follow-up or status: left out." in outcomes.notes
    assert findings.found == ()


def test_a_gap_in_one_row_of_a_patient_is_a_problem_all_the_same(tmp_path):
    text = "patient,slide,time_days,event\np,a,5,1\np,b,,1\nq,c,6,0\n"
    _, findings = outcomes_of(tmp_path, text, leave_out=True)
    assert "got '' at p" in findings.found[0].message


def test_table_in_which_nobody_has_an_outcome_is_an_error(tmp_path):
    _, findings = outcomes_of(tmp_path, "patient,time_days,event\np,,1\nq,,\n", leave_out=True)
    assert "follow-up and status are known, got 2 patients without" in findings.found[0].message


def test_a_wrong_status_is_never_left_out(tmp_path):
    text = "patient,time_days,event\np,5,1\nq,6,7\nr,7,0\n"
    _, findings = outcomes_of(tmp_path, text, leave_out=True)
    assert "Status must be 1 or 0, got '7' at q" in findings.found[0].message


@pytest.mark.parametrize("spelling", ["1,0", "1.0,0.0", "True,False", "true,false"])
def test_status_may_be_spelt_as_number_or_truth(tmp_path, spelling):
    seen, censored = spelling.split(",")
    text = f"patient,time_days,event\np,5,{seen}\nq,6,{censored}\n"
    assert outcomes_of(tmp_path, text)[0].event.tolist() == [True, False]


def test_zero_time_is_kept_when_censored(tmp_path):
    outcomes, _ = outcomes_of(tmp_path, "patient,time_days,event\np,0,0\nq,6,1\n")
    assert outcomes.time.tolist() == [0.0, 6.0]


def test_clinical_column_that_differs_between_slides_is_noted(tmp_path):
    text = "patient,slide,time_days,event,stain\np,a,5,1,HE\np,b,5,1,IHC\nq,,6,0,\n"
    outcomes, _ = outcomes_of(tmp_path, text)
    assert outcomes.clinical["stain"].tolist() == ["HE", ""]
    assert "`stain` differs between the rows of 1 patient: the first row counts." in outcomes.notes


def test_fixed_split_is_read_and_is_no_clinical_feature(tmp_path):
    text = "patient,time_days,event,split\np,5,1,Train\nq,6,0,val\n"
    outcomes, _ = outcomes_of(tmp_path, text)
    assert outcomes.fixed_split.tolist() == ["train", "validation"]
    assert "split" not in outcomes.clinical


HEAD = "patient,slide,time_days,event\n"


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (HEAD + "p,a,-1,0\nq,b,6,1",
         "Time must be >= 0, got '-1' at p in the clinical table (1 row)"),
        (HEAD + "p,a,0,1\nq,b,6,1", "Time must be > 0 where the event was seen, got '0' at p"),
        (HEAD + "p,a,,1\nq,b,inf,1", "Time must be a finite number, got '' at p, 'inf' at q"),
        (HEAD + "p,a,5,2\nq,b,6,1", "Status must be 1 or 0, got '2' at p"),
        (HEAD + "p,a,5,\nq,b,6,1", "Status must be 1 or 0, got '' at p"),
        (HEAD + "p,a,5,1\np,b,6,1", "Patient must have one outcome, got several at p"),
        (HEAD + "p,a,5,1\np,b,5,0", "Patient must have one outcome, got several at p"),
        (HEAD + "p,a,5,1\np,a.svs,5,1",
         "Patient must have one row, or one row a slide, got a second row at p"),
        (HEAD + "p,,5,1\np,,5,1",
         "Patient must have one row, or one row a slide, got a second row at p"),
        (HEAD + "p,a,5,1\nq,a,6,1", "Slide must belong to one patient, got a at p, a at q"),
        (HEAD + "p,../a,5,1\nq,b,6,1", "Slide must be a name without folders, got ../a"),
        (HEAD + ",a,5,1\nq,b,6,1", "Patient must not be empty, got row 2"),
        ("patient,time_days,event,split\np,5,1,x\nq,6,0,test",
         "Split must be train, validation or test, got 'x' at p"),
    ],
)  # fmt: skip
def test_bad_rows_are_named_with_rule_and_count(tmp_path, text, match):
    outcomes, findings = outcomes_of(tmp_path, text)
    assert outcomes is None
    assert any(match in finding.message for finding in findings.fatal)


def test_patient_in_two_splits_is_an_error(tmp_path):
    text = "patient,slide,time_days,event,split\np,a,5,1,train\np,b,5,1,test\n"
    _, findings = outcomes_of(tmp_path, text)
    assert "Patient must lie in one split, got several at p" in findings.fatal[0].message


def test_all_problems_are_found_at_once_and_none_names_a_patient_in_public(tmp_path):
    rows = "p77,a,-1,0\nq77,b,0,1\nr77,c,x,3\nr77,c,5,1\n"
    _, findings = outcomes_of(tmp_path, HEAD + rows)
    assert len(findings.fatal) == 6
    assert not any("77" in finding.public for finding in findings.found)


def test_only_three_examples_are_shown_and_the_rest_counted(tmp_path):
    rows = "".join(f"p{number},a{number},-1,0\n" for number in range(7))
    _, findings = outcomes_of(tmp_path, HEAD + rows)
    assert "'-1' at p2 and 4 more in the clinical table (7 rows)" in findings.fatal[0].message


def test_follow_up_longer_than_a_life_is_a_warning(tmp_path):
    text = "patient,survival_months,event\np,3000,1\nq,5,0\n"  # 3000 months = 250 years
    outcomes, findings = outcomes_of(tmp_path, text)
    assert outcomes is not None
    assert "Follow-up reaches 250 years" in findings.found[0].message


def identities_of(tmp_path, text, **told):
    (tmp_path / "c.csv").write_text(text, encoding="utf-8")
    findings = Findings()
    return read_identities(ClinicalTable(tmp_path / "c.csv", **told), findings), findings


def test_identities_carry_no_outcome_whatever_the_table_holds(tmp_path):
    text = "patient,slide,time_days,event,age,split\nq,b,-1,?,61,x\np,a,,7,50,y\np,c,5,1,50,z\n"
    found, findings = identities_of(tmp_path, text)
    assert not findings.found
    assert (found.time, found.event, found.fixed_split) == (None, None, None)
    assert (found.patients, found.slides) == (("p", "q"), (("a", "c"), ("b",)))
    assert found.clinical.to_dict("list") == {"age": ["50", "61"]}


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("patient,slide\n,a\nq,b\n", "Patient must not be empty, got row 2"),
        ("patient,slide\np,a\np,a.svs\n", "Patient must have one row, or one row a slide"),
        ("patient,slide\np,a\nq,a\n", "Slide must belong to one patient"),
        ("id,slide\np,a\n", "certainly the patient"),
        ("patient,slide,slide_id\np,a,a\n", "certainly the slide"),
    ],
)
def test_identities_are_as_strict_about_patients_and_slides(tmp_path, text, match):
    found, findings = identities_of(tmp_path, text)
    assert found is None
    assert match in findings.fatal[0].message


def test_clinical_numbers_are_nan_where_not_known():
    numbers = clinical_numbers(pd.Series(["61", "", "NA", "5.5"], name="age"))
    np.testing.assert_array_equal(numbers, [61.0, np.nan, np.nan, 5.5])


def test_clinical_text_is_an_error():
    with pytest.raises(SiteError, match="`grade` must be numbers, got 'G2', 'G3'"):
        clinical_numbers(pd.Series(["G2", "G3", "G2"], name="grade"))
