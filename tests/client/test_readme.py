"""What client/README.md promises of other tools' folders, done as it is written there."""

import os
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from client.doctor import examine
from fusion.readers.cohort import read_cohort
from tests import layouts

README = Path(__file__).parents[2] / "client" / "README.md"
PAGE = README.read_text(encoding="utf-8")
SECTION = PAGE.partition("## What you may already have")[2].partition("\n## ")[0]
ROWS = re.findall(r"^\| ([^|]*) \| [^|]* \| [^|]* \| `(.*)` \|$", SECTION, re.MULTILINE)
FILES = {toml.split('"')[1]: toml for toml in re.findall(r"```toml\n(.*?)```", SECTION, re.DOTALL)}
SLIDES = {name: np.full((2, 3), place, np.float32) for place, name in enumerate(("a", "b", "c"))}
CLINICAL = "patient,slide,time_days,event\np1,a.svs,400,1\np2,b.svs,900,0\np3,c.svs,700,0\n"


WRITERS = {
    "HIPT, or any h5": (layouts.write_hipt, "hipt"),
    "CLAM": (layouts.write_clam_h5, "clam-h5"),
    "TRIDENT, patches": (layouts.write_trident, "trident"),
    "TRIDENT, slides": (layouts.write_trident_slides, "slide-vectors"),
    "STAMP": (layouts.write_stamp, "stamp"),
    "any slide encoder": (layouts.write_npy, "slide-vectors"),
    "anything, as one table": (layouts.write_parquet, "parquet"),
}


def test_every_tool_of_the_table_is_tried():
    assert [tool for tool, _ in ROWS] == list(WRITERS)


@pytest.mark.parametrize(("tool", "line"), ROWS)
def test_folder_of_the_tool_is_recognised_by_the_line_beside_it(tmp_path, tool, line):
    write, kind = WRITERS[tool]
    write(tmp_path / line.split('"')[1], SLIDES)
    (tmp_path / "clinical.csv").write_text(CLINICAL, encoding="utf-8")
    toml = f'name = "x"\n[features]\n{line}\nencoder = "e"\n'
    (tmp_path / "site.toml").write_text(toml, encoding="utf-8")
    told = examine(tmp_path)
    assert told.healthy, told.problems
    assert any(said.startswith(f"Features are {kind} (") for said in told.lines)
    assert "Slides: 3 of 3 patients" in " ".join(told.lines)


def stamp_tables(folder):
    layouts.write_stamp(folder / "uni-8b1c", SLIDES)
    (folder / "clini_table.csv").write_text(
        "PATIENT,FU_MONTHS,DECEASED\np1,14.5,yes\np2,30,no\n", encoding="utf-8"
    )
    (folder / "slide_table.csv").write_text(
        "PATIENT,FILENAME\np1,a.h5\np1,b.h5\np2,c.h5\n", encoding="utf-8"
    )


def cbioportal(folder):
    layouts.write_clam_pt(layouts.write_clam_h5(folder / "clam", SLIDES), SLIDES)
    (folder / "data_clinical_patient.txt").write_text(
        "#Identifier\tStatus\tMonths\n#STRING\tSTRING\tNUMBER\n"
        "PATIENT_ID\tOS_STATUS\tOS_MONTHS\np1\t1:DECEASED\t14.5\np2\t0:LIVING\t30\np3\t\t\n",
        encoding="utf-8",
    )
    (folder / "slides.tsv").write_text(
        "PATIENT_ID\tIMAGE\np1\ta.svs\np1\tb.svs\np2\tc.svs\np3\tz.svs\n", encoding="utf-8"
    )


def fed_tcga_brca(folder):
    table = {
        "patient_id": ["p1", "p2", "p3"], "site": ["E2", "LL", "E2"], "site_name": "x",
        "region": "South", "age_at_index": [61, 55, 70], "morphology_8500/3": [1, 0, 1],
        "diagnosis_Infiltrating duct carcinoma, NOS": [0, 1, 1], "event": [1.0, 0.0, 0.0],
        "time_days": [440.0, 900.0, 0.0], "split": ["train", "test", "train"], "center": [0, 0, 1],
    }  # fmt: skip
    pd.DataFrame(table).to_csv(folder / "patients.csv", index=False)


LAYOUTS = {"stamp-tables": stamp_tables, "cbioportal": cbioportal, "fed-tcga-brca": fed_tcga_brca}


def example(name, folder):
    LAYOUTS[name](folder)
    (folder / "site.toml").write_text(FILES[name], encoding="utf-8")
    return folder


@pytest.mark.parametrize("name", FILES)
def test_site_toml_of_the_readme_is_healthy(tmp_path, name):
    told = examine(example(name, tmp_path))
    assert told.healthy, told.problems
    assert told.warnings == ()


@pytest.mark.parametrize("name", ["stamp-tables", "cbioportal"])
def test_tables_of_both_tools_tell_the_same_patients(tmp_path, name):
    cohort = read_cohort(example(name, tmp_path))
    assert cohort.patients == ("p1", "p2")
    assert cohort.time.tolist() == [14.5 * 30.4375, 30 * 30.4375]
    assert cohort.event.tolist() == [True, False]
    assert [cohort.bags().patches(patient) for patient in (0, 1)] == [4, 2]


def test_fed_tcga_brca_keeps_whom_it_censors_on_day_0(tmp_path):
    cohort = read_cohort(example("fed-tcga-brca", tmp_path))
    assert cohort.time.tolist() == [440.0, 900.0, 0.0]
    assert cohort.fixed_split.tolist() == ["train", "test", "train"]
    assert len(cohort.tables["features"].genes) == 2
    assert cohort.clinical["age_at_index"].tolist() == ["61", "55", "70"]


@pytest.mark.data
@pytest.mark.skipif("CONCORD_DATA" not in os.environ, reason="CONCORD_DATA is not set")
def test_fed_tcga_brca_itself_is_read_by_its_site_toml_alone(tmp_path):
    shutil.copy(Path(os.environ["CONCORD_DATA"]) / "fed_tcga_brca" / "patients.csv", tmp_path)
    (tmp_path / "site.toml").write_text(FILES["fed-tcga-brca"], encoding="utf-8")
    assert examine(tmp_path).healthy
    cohort = read_cohort(tmp_path)
    assert (len(cohort.patients), int(cohort.event.sum())) == (1088, 151)
    assert int((cohort.time == 0).sum()) == 12
    assert len(cohort.tables["features"].genes) == 38  # 39 with age
    assert sorted(set(cohort.fixed_split)) == ["test", "train"]
