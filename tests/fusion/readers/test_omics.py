import numpy as np
import pytest

from fusion.errors import ConfigError, SiteError
from fusion.readers.cohort import read_cohort
from fusion.readers.omics import align, omics_vector

nan = np.nan
TOML = 'name = "lyon"\n[omics]\nrna = "rna.csv"\ncnv = "cnv.csv"\n'


@pytest.fixture
def cohort(make_site):
    folder = make_site(toml=TOML)
    (folder / "cnv.csv").write_text("patient,TP53\np1,1\np2,-1\n", encoding="utf-8")
    return read_cohort(folder)


def test_tables_and_clinical_columns_lie_side_by_side(cohort):
    vector = omics_vector(cohort, tables=("cnv", "rna"), clinical=("age",))
    assert vector.names == ("cnv:TP53", "rna:TP53", "rna:EGFR", "clinical:age")
    expected = [[1, 1.5, 2, 50], [-1, nan, nan, 61], [nan, 0.5, -1, nan]]
    np.testing.assert_array_equal(vector.values, expected)


def test_patient_with_some_of_the_tables_is_present_and_partial(cohort):
    vector = omics_vector(cohort, tables=("cnv", "rna"), clinical=("age",))
    assert vector.present.tolist() == [True, True, True]
    assert vector.partial.tolist() == [False, True, True]


def test_patient_without_the_chosen_table_is_absent_though_age_is_known(cohort):
    vector = omics_vector(cohort, tables=("rna",), clinical=("age",))
    assert vector.present.tolist() == [True, False, True]
    assert not vector.partial.any()


def test_clinical_columns_alone_make_a_vector(cohort):
    vector = omics_vector(cohort, tables=(), clinical=("age",))
    assert vector.present.tolist() == [True, True, False]


def test_nothing_chosen_is_present_for_nobody(cohort):
    vector = omics_vector(cohort, tables=())
    assert vector.values.shape == (3, 0)
    assert not vector.present.any()


def test_unknown_table_and_column_name_the_nearest(cohort):
    with pytest.raises(ConfigError, match=r"got 'rnaa' in data.omics. Did you mean 'rna'"):
        omics_vector(cohort, tables=("rnaa",))
    with pytest.raises(ConfigError, match=r"got 'agee' in data.clinical. Did you mean 'age'"):
        omics_vector(cohort, tables=("rna",), clinical=("agee",))


def test_clinical_text_is_an_error(make_site):
    clinical = "patient,time_days,event,sex\np1,1,1,f\np3,2,0,m\n"
    cohort = read_cohort(make_site(toml='name="x"\n[omics]\nrna="rna.csv"', clinical=clinical))
    with pytest.raises(SiteError, match="`sex` must be numbers, got 'f', 'm'"):
        omics_vector(cohort, tables=("rna",), clinical=("sex",))


def test_align_brings_features_into_the_agreed_order(cohort):
    vector = align(omics_vector(cohort, tables=("rna", "cnv")), ("cnv:TP53", "rna:EGFR"))
    np.testing.assert_array_equal(vector.values, [[1, 2], [-1, nan], [nan, -1]])


def test_align_leaves_a_feature_the_site_lacks_unknown(cohort):
    vector = align(omics_vector(cohort, tables=("rna",)), ("rna:NEW", "rna:TP53"))
    np.testing.assert_array_equal(vector.values, [[nan, 1.5], [nan, nan], [nan, 0.5]])
    assert vector.present.tolist() == [True, False, True]


def test_patient_left_with_no_agreed_feature_is_absent(cohort):
    vector = align(omics_vector(cohort, tables=("rna", "cnv")), ("cnv:TP53",))
    assert vector.present.tolist() == [True, True, False]
