import numpy as np
import pytest
from jaxtyping import TypeCheckError

from fusion.errors import SiteError
from fusion.readers.cohort import Cohort, check_cohort, inspect_cohort, read_cohort, read_roster
from fusion.readers.folds import assign_split
from fusion.seeding import generator

PLAIN = 'name = "lyon"\n'
HEAD = "patient,slide,time_days,event\n"


def test_cohort_holds_patients_in_sorted_order_with_everything_aligned(make_site):
    cohort = read_cohort(make_site())
    assert cohort.patients == ("p1", "p2", "p3")
    assert cohort.time.tolist() == [100.0, 200.5, 300.0]
    assert cohort.event.tolist() == [True, False, True]
    assert cohort.has_slides.tolist() == [True, True, False]
    assert cohort.tables["rna"].present.tolist() == [True, False, True]
    assert cohort.clinical["age"].tolist() == ["50", "61", ""]


def test_bags_of_a_cohort_are_read_by_position(make_site):
    bags = read_cohort(make_site()).bags()
    assert [bags.patches(patient) for patient in range(3)] == [4, 2, 0]
    assert bags.sample(1, max_patches=9, generator=generator(1)).shape == (2, 3)


def test_site_without_slides_and_omics_is_read(make_site):
    cohort = read_cohort(make_site(toml=PLAIN))
    assert (cohort.encoder, cohort.feature_width, dict(cohort.tables)) == ("", 0, {})
    assert "no [features]: unused" in cohort.notes[-1]


def test_what_is_not_used_is_said(make_site):
    bags = dict.fromkeys(["a.h5", "b.h5", "c.h5", "d.h5"])
    notes = read_cohort(make_site(bags=bags)).notes
    assert "rna: 1 row of patients not in the clinical table, unused." in notes
    assert "1 bag of no patient, unused." in notes


def test_lone_patient_is_an_error(make_site):
    with pytest.raises(SiteError, match="Site 'lyon' must have at least 2 patients, got 1"):
        read_cohort(make_site(toml=PLAIN, clinical=HEAD + "p,,5,1\n"))


def test_roster_needs_no_outcomes_and_one_patient_is_enough(make_site):
    roster = read_roster(make_site(clinical="patient,slide,age\np1,b,50\np1,a,50\n"))
    assert roster.patients == ("p1",)
    assert [path.name for path in roster.slides[0]] == ["a.h5", "b.h5"]
    assert roster.tables["rna"].values.tolist() == [[1.5, 2.0]]
    assert roster.clinical["age"].tolist() == ["50"]


def test_roster_is_its_cohort_without_outcomes(make_site):
    folder = make_site()
    roster, cohort = vars(read_roster(folder)), vars(read_cohort(folder))
    assert set(cohort) - set(roster) == {"time", "event", "fixed_split"}
    assert roster["clinical"].equals(cohort["clinical"])
    same = ("name", "role", "encoder", "patients", "slides", "fingerprint")
    assert [roster[field] for field in same] == [cohort[field] for field in same]


def test_nothing_is_trained_or_split_or_evaluated_on_a_roster(make_site):
    roster = read_roster(make_site())
    assert not isinstance(roster, Cohort)
    assert not any(hasattr(roster, outcome) for outcome in ("time", "event", "fixed_split"))
    with pytest.raises(TypeCheckError):
        assign_split(roster, validation=0.2, test=0.2, seed=1)


def test_table_without_outcomes_still_stops_training(make_site):
    folder = make_site(clinical="patient,slide\np1,a\np2,c\n")
    with pytest.raises(SiteError, match="certainly the time"):
        read_cohort(folder)
    assert [finding.fatal for finding in check_cohort(folder)] == [True, True]


def test_features_without_a_slide_column_are_an_error(make_site):
    folder = make_site(clinical="patient,time_days,event\np1,5,1\np2,6,0\n")
    with pytest.raises(SiteError, match="must name slides in `slide` or `slide_id` when"):
        read_cohort(folder)


def test_fingerprint_changes_with_a_value_and_with_nothing_else(make_site):
    before = read_cohort(make_site()).fingerprint
    assert read_cohort(make_site()).fingerprint == before
    rna = "patient,TP53,EGFR\np3,0.6,-1\np1,1.5,2\n"
    assert read_cohort(make_site(rna=rna)).fingerprint != before


def test_problems_of_every_part_are_found_at_once(make_site):
    folder = make_site(
        clinical=HEAD + "p1,a,-1,0\np2,b,5,1\n",
        rna="patient,A\np1,x\n",
        bags={"a.h5": np.zeros((2, 4)), "b.h5": None},
    )
    messages = " ".join(finding.message for finding in check_cohort(folder))
    assert "Time must be >= 0" in messages
    assert "must hold numbers, got text in `A`" in messages
    assert "must have width 3, got 4" in messages


def test_no_finding_names_a_patient_or_a_file_in_public(make_site):
    folder = make_site(
        clinical=HEAD + "p1,a,-1,0\np1,b,5,1\n",
        rna="patient,A\np1,1\np1,inf\n",
        bags={"a.h5": np.zeros((2, 4)), "b.h5": np.full((1, 3), np.inf)},
    )
    public = " ".join(finding.public for finding in check_cohort(folder))
    assert not any(name in public for name in ("p1", "a.h5", "b.h5", "a.svs", "csv"))


def test_sound_folder_has_no_finding_and_counts_its_patches(make_site):
    inspection = inspect_cohort(make_site())
    assert (inspection.findings, inspection.slides.patches) == ((), 6)


def test_site_without_events_is_a_warning(make_site):
    folder = make_site(toml=PLAIN, clinical=HEAD + "p,,5,0\nq,,6,0\n")
    findings = check_cohort(folder)
    assert "Site 'lyon' has no event" in findings[0].message
    assert not any(finding.fatal for finding in findings)


def test_patients_without_any_modality_are_a_warning(make_site):
    folder = make_site(clinical=HEAD + "p1,a,5,1\np2,,6,0\n", bags={"a.h5": None})
    assert "1 patient without slides and without omics" in check_cohort(folder)[0].message


def test_unreadable_site_toml_is_a_finding_not_a_traceback(tmp_path):
    inspection = inspect_cohort(tmp_path / "nowhere")
    assert inspection.cohort is None
    assert "Site folder must exist" in inspection.findings[0].message
