import numpy as np
import pytest

from fusion.errors import SiteError
from fusion.readers.cohort import check_cohort, read_cohort

FEATURES = '\nname = "lyon"\n[features]\nencoder = "made-up"\nwidth = 3\n'


def test_slides_without_a_bag_are_counted_and_named(make_site):
    folder = make_site(bags={"a.h5": None})
    with pytest.raises(
        SiteError, match=r"got 2 slides without a bag: b.h5, c.h5. Extract"
    ) as caught:
        read_cohort(folder)
    assert caught.value.public == "2 slides without a bag."


def test_slides_listed_as_missing_are_no_error(make_site):
    folder = make_site(toml=FEATURES + 'missing = ["b.h5", "c.svs"]', bags={"a.h5": None})
    cohort = read_cohort(folder)
    assert [len(paths) for paths in cohort.slides] == [1, 0, 0]


def test_name_in_missing_that_no_slide_has_is_a_warning(make_site):
    folder = make_site(toml=FEATURES + 'missing = ["aa.h5"]')
    findings = check_cohort(folder)
    assert "lists 'aa.h5', which no row" in findings[0].message
    assert not findings[0].fatal


def test_missing_folder_of_features_is_an_error(make_site):
    with pytest.raises(SiteError, match="Folder of patch features must exist"):
        read_cohort(make_site(bags={}))


def test_bags_alike_in_their_fault_are_one_finding(make_site):
    wide, broken = np.zeros((2, 4)), np.full((2, 3), np.nan)
    findings = check_cohort(make_site(bags={"a.h5": wide, "b.h5": wide, "c.h5": broken}))
    assert len(findings) == 2
    assert "got 4 in 'a.h5'" in findings[0].message
    assert findings[0].message.endswith("(1 other bag alike: b.h5.)")
    assert findings[0].public == "2 bags: Patch features of a width other than 3."
