import numpy as np
import pytest

from client.settings import site_folders
from fusion.readers.cohort import read_cohort
from simulations.alone import able_alone
from simulations.fold_folders import People
from simulations.folds import Fold


@pytest.fixture(scope="module")
def people(hospitals):
    cohorts = [read_cohort(folder) for folder in site_folders(hospitals)]
    return People(cohorts, np.repeat([one.name for one in cohorts], 24))


def fold(people, train):
    return Fold("sites", 1, 1, 1, people.hospital, np.where(train, "train", "validation"))


def test_a_site_without_an_event_to_train_on_is_left_out(people):
    train = ~(people.event & (people.hospital == "lyon"))
    assert able_alone(people, fold(people, train), "") == {"bergen": "", "porto": ""}


def test_a_site_takes_one_component_less_than_it_has_patients(people):
    # of each hospital's 24 patients two lack slides and two others lack omics
    everybody = fold(people, np.full(72, True))
    assert able_alone(people, everybody, "rna=30,slides=5")["lyon"] == "rna=21,slides=5"
    few = np.full(72, True)
    few[np.flatnonzero(people.hospital == "lyon")[8:]] = False
    of_lyon = people.cohorts[1]
    assert of_lyon.name == "lyon"
    slides, rna = of_lyon.has_slides[:8].sum(), of_lyon.tables["rna"].present[:8].sum()
    expected = f"rna={rna - 1},slides={slides - 1}"
    assert able_alone(people, fold(people, few), "rna=30,slides=30")["lyon"] == expected


def test_a_site_without_the_table_cannot_train_on_its_components(people):
    bare = People([*people.cohorts], people.hospital)
    assert able_alone(bare, fold(bare, np.full(72, True)), "cnv=2") == {}
