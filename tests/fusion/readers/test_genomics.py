import numpy as np
import pytest

from fusion.readers.findings import Findings
from fusion.readers.genomics import read_omics
from fusion.readers.site import OmicsFile


def table_of(tmp_path, text, patients=("p1", "p2"), leave_out=(), outcomes=()):
    (tmp_path / "rna.csv").write_text(text, encoding="utf-8")
    findings = Findings()
    told = OmicsFile(tmp_path / "rna.csv", leave_out)
    table = read_omics(
        told, name="rna", patients=patients, findings=findings, outcomes=frozenset(outcomes)
    )
    return table, findings


def test_rows_are_brought_into_the_cohorts_order(tmp_path):
    table, _ = table_of(tmp_path, "case_id,A,B\np9,9,9\np2,3,4\np1,1,2\n")
    assert table.genes == ("A", "B")
    np.testing.assert_array_equal(table.values, [[1, 2], [3, 4]])
    assert table.others == 1


def test_patient_without_a_row_is_absent_and_zero(tmp_path):
    table, _ = table_of(tmp_path, "case_id,A\np2,3\n")
    assert table.present.tolist() == [False, True]
    assert table.values.tolist() == [[0.0], [3.0]]


def test_first_column_is_the_patient_when_no_name_is_recognised(tmp_path):
    table, _ = table_of(tmp_path, "barcode,A\n001,3\n002,4\n", patients=("001", "002"))
    assert table.values.tolist() == [[3.0], [4.0]]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("case_id,A\np1,1\np1,2\n", "must have one row a patient, got more for p1 (1 patient)"),
        ("case_id,A\np1,\np2,inf\n",
         "finite numbers, got 2 empty or infinite values in A, first at p1"),
        ("case_id,A,B\np1,x,1\np2,1,2\n", "must hold numbers, got text in `A` ('x') (1 column)"),
        ("case_id\np1\np2\n", "must have at least one gene"),
        ("case_id,A\nz1,1\n", "must share patients with the clinical table, got none (first: 'z1'"),
        ("case_id,A\np1,1\n,2\n", "must name the patient of each row, got 1 empty name"),
    ],
)  # fmt: skip
def test_bad_omics_table_is_named_and_no_patient_leaves_the_site(tmp_path, text, match):
    table, findings = table_of(tmp_path, text)
    assert table is None
    assert match in findings.fatal[0].message
    assert "p1" not in findings.fatal[0].public


def test_problems_are_found_even_when_no_patient_is_known(tmp_path):
    _, findings = table_of(tmp_path, "case_id,A\np1,x\np1,2\n", patients=())
    assert len(findings.fatal) == 2


MIXED = "patient,site,A,event\np1,x,1,0\np2,y,2,1\n"


def test_columns_may_be_left_out(tmp_path):
    table, findings = table_of(tmp_path, MIXED, leave_out=("patient", "site", "event"))
    assert table.genes == ("A",)
    assert table.values.tolist() == [[1.0], [2.0]]
    assert findings.found == ()


@pytest.mark.parametrize(
    ("leave_out", "match"),
    [
        (("site",), "must not hold the outcome, got event in 'rna.csv'. Write { file = "),
        (
            ("stie",),
            "must have the columns it leaves out, got no `stie` in 'rna.csv'. Did you mean",
        ),
    ],
)
def test_outcome_is_never_a_gene(tmp_path, leave_out, match):
    table, findings = table_of(tmp_path, MIXED, leave_out=leave_out, outcomes=("event",))
    assert table is None
    assert match in findings.found[0].message
    assert "event" not in findings.found[0].public
