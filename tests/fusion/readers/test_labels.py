import pandas as pd
import pytest

from fusion.errors import SiteError
from fusion.readers.cohort import read_cohort
from fusion.readers.labels import read_label
from fusion.readers.site_toml import read_labels


@pytest.fixture
def labelled(hospitals):
    """The patients of lyon with a clinical column, and what site.toml says of it."""

    def labelled(values, section=None):
        cohort = read_cohort(hospitals / "lyon")
        number = len(cohort.patients)
        column = [values[place % len(values)] for place in range(number)]
        cohort.clinical["who"] = pd.Series(column, index=cohort.clinical.index)
        cohort.labels.update(read_labels(section or {}))
        return cohort

    return labelled


def test_each_value_of_a_column_is_a_class(labelled):
    found = read_label(labelled(["b", "a", ""]), "who")
    assert found.classes == ("a", "b")
    assert found.words[:3].tolist() == ["b", "a", ""]


def test_a_section_joins_values_and_leaves_the_others_without_a_label(labelled):
    section = {"grade": {"column": "who", "classes": {"low": [1, "2"], "high": ["3.0"]}}}
    found = read_label(labelled(["1", "2.0", "3", "4", "NA"], section), "grade")
    assert found.words[:5].tolist() == ["low", "low", "high", "", ""]


def test_patients_of_classes_not_asked_for_have_no_label(labelled):
    found = read_label(labelled(["a", "b", "c"]), "who", ("c", "a"))
    assert found.classes == ("c", "a")
    assert found.words[:3].tolist() == ["a", "", "c"]
    assert found.places(("c", "a"))[:3].tolist() == [1, -1, 0]


def test_a_label_that_is_nowhere_is_refused_without_naming_the_site_outside(labelled):
    with pytest.raises(SiteError, match=r"got neither at site 'lyon'\. Did you mean 'who'") as told:
        read_label(labelled(["a"]), "wh")
    assert told.value.public == "The site has no label 'wh'."


def test_a_section_whose_column_is_nowhere_is_refused(labelled):
    section = {"grade": {"column": "whoo"}}
    with pytest.raises(SiteError, match=r"must be in the clinical table, got 'whoo'"):
        read_label(labelled(["a"], section), "grade")


@pytest.mark.parametrize(
    ("section", "message"),
    [
        (["grade"], r"\[labels\] must be a section a label"),
        ({"grade": "who"}, r"\[labels\] must be a section a label"),
        ({"grade": {"column": "who", "classes": ["low"]}}, "must be a table of class = values"),
        ({"grade": {"column": "who", "classes": {"a,b": ["1"]}}}, "no comma in a class"),
        ({"grade": {"column": "who", "classes": {"a": ["1"], "b": ["1"]}}},
         "must put a value into one class, got '1' in two"),
        ({"grade": {"colum": "who"}}, "colum"),
    ],
)  # fmt: skip
def test_a_section_that_makes_no_sense_is_refused(section, message):
    with pytest.raises(SiteError, match=message):
        read_labels(section)
