from pathlib import Path

import pytest

from fusion.errors import SiteError
from fusion.readers.site import OmicsFile, SlideTable, bag_file
from fusion.readers.site_toml import read_site_description

BASE = 'name = "lyon"\n'


def test_description_joins_paths_to_the_folder_and_fills_defaults(make_site):
    folder = make_site()
    described = read_site_description(folder)
    assert (described.name, described.role) == ("lyon", "train")
    assert described.features.folder == folder / "patch_features"
    assert described.clinical.file == folder / "clinical.csv"
    assert described.omics == {"rna": OmicsFile(folder / "rna.csv")}
    assert described.device == "auto"


def test_site_without_slides_and_without_omics_is_described(make_site):
    described = read_site_description(make_site(toml=BASE))
    assert described.features is None
    assert described.omics == {}


def test_tables_may_say_more_than_their_file(make_site):
    told = """[clinical]
file = "t.tsv"
event = "cause"
event_value = ["dead", 1]
censored_value = "alive"
without_outcome = "leave out"
[slides]
file = "s.csv"
slide = "FILENAME"
[omics]
x = { file = "t.tsv", leave_out = ["cause"] }
"""
    folder = make_site(toml=BASE + told)
    described = read_site_description(folder)
    assert described.clinical.event_values == ("dead", "1")
    assert described.clinical.leave_out
    assert described.clinical.slides == SlideTable(folder / "s.csv", slide="FILENAME")
    assert described.omics == {"x": OmicsFile(folder / "t.tsv", ("cause",))}


def test_missing_slides_may_be_listed_with_any_suffix(make_site):
    toml = BASE + '[features]\nencoder="e"\nwidth=3\nmissing=["p07.h5", "p08.svs", "p09"]'
    described = read_site_description(make_site(toml=toml))
    assert described.features.missing == {"p07", "p08", "p09"}


@pytest.mark.parametrize(
    ("toml", "match"),
    [
        ("role = 'train'", "'name' must be a text, got nothing"),
        ("name = 'a,b'", "without comma and slash, got 'a,b'"),
        ("name = 'x'\nnam = 'y'", "got 'nam' in site.toml. Did you mean 'name'"),
        (BASE + "role = 'tran'", "role must be one of train, evaluate-only, got 'tran'"),
        (BASE + "device = 'gpu'", "device must be one of auto, cpu, cuda, got 'gpu'"),
        (BASE + "device = 0", "'device' must be a text, got 0"),
        (
            BASE + "[features]\nencoder='e'\nwidht=3",
            "'widht' in .features. .* Did you mean 'width'",
        ),
        (BASE + "[features]\nencoder='e'\nwidth='3'", "width must be a whole number >= 1, got '3'"),
        (BASE + "[features]\nwidth=3", "'encoder' must be a text, got nothing"),
        (BASE + "[features]\nencoder='e'\nwidth=3\nmissing='a'", "must be a list of names"),
        (
            BASE + "[features]\nencoder='e'\nfile='a.parquet'\nfolder='b'",
            "must name a folder or a file, got both",
        ),
        (
            BASE + "[features]\nencoder='e'\nfile='a.parquet'\nformat='stamp'",
            "name a file where its format is parquet, else a folder, got format 'stamp'",
        ),
        (BASE + "[features]\nencoder='e'\nformat='parquet'", "else a folder, got format 'parquet'"),
        (
            BASE + "[features]\nencoder='e'\nformat='clam'",
            "format must be one of .*Did you mean 'cl",
        ),
        (BASE + "clinical = 3", "clinical must be a section, got 3"),
        (BASE + "omics = 3", "must be a table of name = file, got 3"),
        (BASE + "[omics]\nall = 'a.csv'", "must be a plain word that is not reserved, got 'all'"),
        (BASE + "[omics]\nrna = 3", "'rna' must be a text, got 3"),
        (BASE + "[clinical]\ntime_unit='weeks'", "time_unit must be one of .*, got 'weeks'"),
        (BASE + "[clinical]\nevent_value=1", "must give event_value and censored_value together"),
        (BASE + "[clinical]\nevent=[1]", "'event' must be a text or a number"),
        (
            BASE + "[clinical]\nevent_value=[[1]]\ncensored_value=0",
            "'event_value' must be a text, a number or a list of them",
        ),
        (
            BASE + "[clinical]\nwithout_outcome='leave it'",
            "must be one of refuse, leave out, got 'leave it' .* Did you mean 'leave out'",
        ),
        (BASE + "[slides]\npatient='p'", "'file' must be a text, got nothing"),
        (
            BASE + "[slides]\nfiel='s.csv'",
            "got 'fiel' in .slides. in site.toml. Did you mean 'file'",
        ),
        (
            BASE + "[clinical]\nslide='s'\n[slides]\nfile='s.csv'",
            "must not name the slide where there is a .slides. table, got slide = 's'",
        ),
        (BASE + "[omics.a]\nfiles='a.csv'", "got 'files' in .omics.a. in site.toml. Did you mean"),
        (BASE + "[omics]\na={file='a.csv', leave_out='b'}", "leave_out must be a list of names"),
        ("name = ", "site.toml must be TOML"),
    ],
)
def test_unusable_site_toml_is_named_with_its_remedy(make_site, toml, match):
    with pytest.raises(SiteError, match=match) as caught:
        read_site_description(make_site(toml=toml))
    assert caught.value.public == "site.toml cannot be used as it is."


def test_missing_folder_is_an_error():
    with pytest.raises(SiteError, match=r"Site folder must exist, got 'no/where'. Check the path"):
        read_site_description(Path("no/where"))


def test_folder_without_site_toml_is_an_error(tmp_path):
    with pytest.raises(SiteError, match=r"must hold a site.toml, got none"):
        read_site_description(tmp_path)


@pytest.mark.parametrize(
    ("slide", "file"),
    [("p.svs", "p.h5"), ("p.NDPI", "p.h5"), ("p.h5", "p.h5"), ("p.1f9c-2b", "p.1f9c-2b.h5")],
)
def test_bag_is_named_after_its_slide_without_the_scanner_suffix(slide, file):
    assert bag_file(slide) == file
