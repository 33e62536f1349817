import h5py
import numpy as np
import pandas as pd
import pytest

from fusion.errors import SiteError
from fusion.readers.catalogue import read_catalogue
from fusion.readers.cohort import check_cohort, inspect_cohort, read_cohort
from fusion.readers.site import FeatureFolder
from fusion.seeding import generator
from tests import layouts

SLIDES = {
    "a": np.arange(6, dtype=np.float32).reshape(2, 3),
    "b": 10 + np.arange(9, dtype=np.float32).reshape(3, 3),
    "c": 20 + np.arange(3, dtype=np.float32).reshape(1, 3),
}
BASE = 'name = "lyon"\n[features]\nfolder = "patch_features"\nencoder = "e"\n'


def catalogue(folder, kind="", width=None):
    return read_catalogue(FeatureFolder(folder, "e", width, format=kind))


@pytest.fixture
def site_with(make_site):
    def site_with(writer, more=""):
        folder = make_site(toml=BASE + more, bags={})
        writer(folder / "patch_features", SLIDES)
        return folder

    return site_with


@pytest.mark.parametrize("kind", layouts.WRITERS)
def test_same_patients_and_values_are_read_from_every_format(site_with, kind):
    cohort = read_cohort(site_with(layouts.WRITERS[kind]))
    bags = cohort.bags()
    assert cohort.feature_width == 3
    assert cohort.has_slides.tolist() == [True, True, False]
    both = bags.sample(0, max_patches=9, generator=generator(1))
    np.testing.assert_array_equal(both, np.concatenate([SLIDES["a"], SLIDES["b"]]))
    assert any(note.startswith(f"Features are {kind} (") for note in cohort.notes)


@pytest.mark.parametrize("kind", layouts.WRITERS)
def test_named_format_is_the_recognised_one(site_with, kind):
    folder = site_with(layouts.WRITERS[kind], f'format = "{kind}"\nwidth = 3')
    found = catalogue(folder / "patch_features", kind)
    assert (found.format, found.width) == (kind, 3)
    assert found.told.endswith("as site.toml says")
    assert found.slides == catalogue(folder / "patch_features").slides
    assert check_cohort(folder)[1:] == []  # the first: a patient without any modality


@pytest.mark.parametrize(
    ("suffix", "shape"), [("h5", (3,)), ("pt", (3,)), ("npy", (3,)), ("npy", (1, 3))]
)
def test_one_vector_a_slide_is_a_bag_of_one_patch(tmp_path, suffix, shape):
    import torch

    values, path = np.arange(3, dtype=np.float32).reshape(shape), tmp_path / f"a.{suffix}"
    if suffix == "h5":
        with h5py.File(path, "w") as file:
            file["features"] = values
    elif suffix == "pt":
        torch.save(torch.from_numpy(values), path)
    else:
        np.save(path, values)
    found = catalogue(tmp_path)
    assert (found.format, found.width) == ("slide-vectors", 3)
    with found.slides["a"].open(3) as bag:
        assert bag.all().tolist() == [[0.0, 1.0, 2.0]]


def test_slide_vectors_of_trident_leave_their_patches_coordinates(tmp_path):
    found = catalogue(layouts.write_trident_slides(tmp_path, SLIDES))
    with found.slides["b"].open(3) as bag:
        assert (found.format, len(bag), bag.coordinates()) == ("slide-vectors", 1, None)


def test_clam_folder_with_both_kinds_is_read_from_h5_unless_told(tmp_path):
    layouts.write_clam_pt(layouts.write_clam_h5(tmp_path, SLIDES), SLIDES)
    assert catalogue(tmp_path).format == "clam-h5"
    assert catalogue(tmp_path, "clam-pt").slides["a"].name == "a.pt"


def test_a_damaged_file_does_not_decide_the_format(tmp_path):
    layouts.write_stamp(tmp_path, SLIDES)
    (tmp_path / "a.h5").write_bytes(b"not h5")
    assert (catalogue(tmp_path).format, catalogue(tmp_path).width) == ("stamp", 3)


@pytest.mark.parametrize(
    ("names", "kind", "match"),
    [
        (["x.svs"], "", r"must hold .h5 or .pt or .npy files, got x.svs in .*folder or features.f"),
        (["uni/a.h5"], "", "Features lie in uni below it: mend features.folder in site.toml"),
        (["a.h5"], "clam-pt", r"must hold .pt files, got a.h5 in"),
        (["a.h5"], "", r"Width of the features must be known, got no readable bag"),
    ],
)
def test_folder_without_features_is_an_error(tmp_path, names, kind, match):
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(SiteError, match=match) as caught:
        catalogue(tmp_path, kind)
    assert str(tmp_path) not in caught.value.public


def test_wrong_word_for_a_format_names_the_nearest(site_with):
    folder = site_with(layouts.write_trident, 'format = "tridnt"')
    with pytest.raises(SiteError, match=r"features.format must be one of .*Did you mean 'trident'"):
        read_cohort(folder)


def test_wrong_format_is_said_slide_by_slide(site_with):
    findings = check_cohort(site_with(layouts.write_stamp, 'format = "trident"\nwidth = 3'))
    assert "must hold a dataset `features`, got coords, feats in" in findings[0].message
    assert "Mend features.format in site.toml" in findings[0].message


def test_path_in_an_attribute_is_nowhere(site_with):
    folder = site_with(layouts.write_trident)
    with h5py.File(folder / "patch_features" / "b.h5", "a") as file:
        del file["coords"]
        file["coords"] = np.zeros((1, 2))
        file["coords"].attrs["savetodir"] = layouts.SECRET
    inspection = inspect_cohort(folder)
    said = [f"{finding.message} {finding.public}" for finding in inspection.findings]
    assert len(said) == 1
    cohort = read_cohort(folder)
    assert layouts.SECRET not in f"{said} {cohort} {inspection}"
    assert "clinic" not in repr(cohort.bags().coordinates(1))


def test_coordinates_of_all_slides_are_counted(site_with):
    folder = site_with(layouts.write_trident)
    with h5py.File(folder / "patch_features" / "b.h5", "a") as file:
        del file["coords"]
    told = inspect_cohort(folder).slides.coordinates()
    assert told == "Coordinates: level0-pixel, patches of 512 (2 slides); none (1 slide)."


ONE_FILE = 'name = "lyon"\n[features]\nfile = "all.parquet"\nencoder = "e"\n'


def test_one_file_with_all_slides_is_read(make_site):
    folder = make_site(toml=ONE_FILE, bags={})
    layouts.write_parquet(folder / "all.parquet", SLIDES)
    cohort = read_cohort(folder)
    drawn = cohort.bags().sample(0, max_patches=9, generator=generator(1))
    np.testing.assert_array_equal(drawn, np.concatenate([SLIDES["a"], SLIDES["b"]]))
    assert check_cohort(folder)[1:] == []
    assert any("parquet (one file: 6 rows of 3 slides" in note for note in cohort.notes)


def test_file_that_names_its_patients_needs_no_slide_column(make_site):
    clinical = "patient,time_days,event\np1,5,1\np2,6,0\n"
    folder = make_site(toml=ONE_FILE, bags={}, clinical=clinical)
    frame = pd.DataFrame({"patient": ["p1", "p1", "p9"], "f0": [1.0, 2.0, 3.0]})
    frame.to_parquet(folder / "all.parquet")
    cohort = read_cohort(folder)
    assert [cohort.bags().patches(patient) for patient in (0, 1)] == [2, 0]
    assert "1 bag of no patient, unused." in cohort.notes


def test_slide_of_another_patient_in_the_features_is_an_error(make_site):
    folder = make_site(toml=ONE_FILE, bags={})
    frame = pd.DataFrame({"patient": ["p1", "p1", "p3"], "slide": list("abc"), "f0": [1.0, 2, 3]})
    frame.to_parquet(folder / "all.parquet")
    with pytest.raises(SiteError, match="in the file of features, got c at p2 and p3") as caught:
        read_cohort(folder)
    assert "p2" not in caught.value.public


def test_slide_that_the_file_lacks_is_an_error(make_site):
    folder = make_site(toml=ONE_FILE, bags={})
    layouts.write_parquet(folder / "all.parquet", {"a": SLIDES["a"]})
    with pytest.raises(SiteError, match=r"bag in 'all.parquet', got 2 slides without a bag: b, c"):
        read_cohort(folder)
