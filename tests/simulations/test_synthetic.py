import numpy as np
import pytest
from lifelines import CoxPHFitter
from pandas import DataFrame

from fusion.readers.cohort import check_cohort, read_cohort
from fusion.readers.omics import omics_vector
from simulations.synthetic import make_hospitals


def contents(folders):
    return {
        path.relative_to(folder.parent): path.read_bytes()
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_three_hospitals_open_without_a_finding(tmp_path):
    folders = make_hospitals(tmp_path, patients=20)
    assert [folder.name for folder in folders] == ["lyon", "bergen", "porto"]
    assert all(check_cohort(folder) == [] for folder in folders)


def test_some_patients_lack_slides_others_omics_and_some_have_several_slides(tmp_path):
    cohort = read_cohort(make_hospitals(tmp_path, sites=1, patients=40)[0])
    assert int((~cohort.has_slides).sum()) == 4
    assert int((~cohort.tables["rna"].present).sum()) == 4
    assert (cohort.has_slides | cohort.tables["rna"].present).all()
    assert max(map(len, cohort.slides)) == 2


def test_same_seed_writes_the_same_bytes_and_another_seed_others(tmp_path):
    first, second, other = (
        contents(make_hospitals(tmp_path / name, sites=1, patients=12, seed=seed))
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert first == second
    assert first != other


@pytest.mark.parametrize(("interaction", "low", "high"), [(1.0, 0.6, 1.2), (0.0, -0.2, 0.2)])
def test_interaction_that_was_planted_is_there(tmp_path, interaction, low, high):
    folder = make_hospitals(tmp_path, sites=1, patients=400, interaction=interaction)[0]
    cohort = read_cohort(folder)
    both = cohort.has_slides & cohort.tables["rna"].present
    genes = omics_vector(cohort, tables=("rna",)).values[:, :8].mean(axis=1)
    slides = _signal(cohort)
    frame = DataFrame({"s": slides, "g": genes, "sg": slides * genes}).loc[both]
    frame = frame.assign(time=cohort.time[both], event=cohort.event[both])
    found = CoxPHFitter().fit(frame, "time", "event").params_["sg"]
    assert low < found < high


def _signal(cohort):
    """Return the patients' strength along the first principal direction of mean patches."""
    bags = cohort.bags()
    means = np.zeros((len(cohort.patients), cohort.feature_width))
    for patient in np.flatnonzero(cohort.has_slides):
        means[patient] = np.concatenate(list(bags.chunks(int(patient), 999))).mean(axis=0)
    centred = means - means[cohort.has_slides].mean(axis=0)
    direction = np.linalg.svd(centred[cohort.has_slides], full_matrices=False)[2][0]
    genes = cohort.tables["rna"].values[:, :8].mean(axis=1)
    strength = centred @ direction / (centred[cohort.has_slides] @ direction).std()
    sign = np.sign(np.corrcoef(strength * genes, -np.log(cohort.time))[0, 1])
    return strength * (sign or 1.0)
