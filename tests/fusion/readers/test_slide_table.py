import pytest

from fusion.errors import SiteError
from fusion.readers.cohort import check_cohort, read_cohort, read_roster

TOML = """
name = "lyon"
[features]
encoder = "e"
[slides]
file = "slides.csv"
"""
CLINICAL = "PATIENT,time_days,event,slide\np1,5,1,unused\np2,6,0,\np3,7,0,\n"
SLIDES = "PATIENT,FILENAME\np1,b.h5\np1,a.h5\np2,c.svs\np9,z.h5\n"


@pytest.fixture
def site_with(make_site):
    def site_with(slides, clinical=CLINICAL):
        folder = make_site(toml=TOML, clinical=clinical)
        (folder / "slides.csv").write_text(slides, encoding="utf-8")
        return folder

    return site_with


def test_slides_come_from_their_own_table(site_with):
    cohort = read_cohort(site_with(SLIDES))
    assert [[slide.name for slide in one] for one in cohort.slides] == [
        ["a.h5", "b.h5"],
        ["c.h5"],
        [],
    ]
    assert "Slide table: 1 slide of patients not in the clinical table, unused." in cohort.notes
    assert cohort.clinical["slide"].tolist() == ["unused", "", ""]


def test_roster_reads_the_same_slides(site_with):
    folder = site_with(SLIDES)
    assert read_roster(folder).slides == read_cohort(folder).slides


def test_a_row_of_the_slide_table_changes_the_fingerprint(site_with):
    before = read_cohort(site_with(SLIDES)).fingerprint
    assert read_cohort(site_with(SLIDES.replace("p9,z", "p9,y"))).fingerprint != before


@pytest.mark.parametrize(
    ("slides", "match"),
    [
        (
            "PATIENT,FILENAME\np1,a\np2,a\n",
            r"Slide must belong to one patient, got a at p1, a at p2",
        ),
        ("PATIENT,FILENAME\n,a\n", r"Patient must not be empty, got row 2 in the slide table"),
        ("PATIENT,FILENAME\np1,x/a\n", r"be a name without folders, got x/a in the slide table"),
        ("PATIENT,WHERE\np1,a\n", "Slide table must have a column that is certainly the slide"),
        ("PATIENT,FILENAME\np1,d.h5\n", r"got 1 slide without a bag: d.h5"),
        ("PATIENT,FILENAME\n", "Slide table must have at least one row"),
    ],
)
def test_unusable_slide_table_is_an_error(site_with, slides, match):
    folder = site_with(slides)
    with pytest.raises(SiteError, match=match) as caught:
        read_cohort(folder)
    assert not any(name in caught.value.public for name in ("p1", "a.h5", "csv"))
    assert len([finding for finding in check_cohort(folder) if finding.fatal]) == 1
