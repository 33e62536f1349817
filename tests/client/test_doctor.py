import numpy as np
import pytest
import torch

from client.doctor import examine
from simulations.synthetic import make_hospitals
from tests import layouts


@pytest.fixture
def hospital(tmp_path):
    return make_hospitals(tmp_path, sites=1, patients=30, seed=1)[0]


def test_sound_hospital_is_told_in_plain_words(hospital):
    examination = examine(hospital)
    told = "\n".join(examination.lines)
    assert examination.healthy
    assert "Site 'lyon' trains and is evaluated." in told
    assert "`time_days` is follow-up in days." in told
    assert "from encoder 'synthetic-24', 24 numbers each." in told
    assert "3 patients without slides." in told
    assert "Omics table rna: 40 genes of 27 patients; 3 patients without." in told


def test_every_problem_is_listed_at_once_with_its_remedy(hospital):
    clinical = hospital / "clinical.csv"
    clinical.write_text(clinical.read_text().replace("time_days", "time"), encoding="utf-8")
    (hospital / "rna.parquet").unlink()
    bag = next((hospital / "patch_features").glob("*.h5"))
    bag.write_bytes(bag.read_bytes()[:100])
    problems = examine(hospital).problems
    assert len(problems) == 3
    assert "Write time = " in problems[0]
    assert "Omics table rna must exist" in problems[1]
    assert f"must be a whole h5 file, got '{bag.name}'" in problems[2]


def test_folder_without_site_toml_is_a_problem_not_a_traceback(tmp_path):
    examination = examine(tmp_path)
    assert not examination.healthy
    assert examination.lines == ()


def test_warning_leaves_a_hospital_healthy(hospital):
    clinical = hospital / "clinical.csv"
    rows = [row.split(",") for row in clinical.read_text().splitlines()]
    place = rows[0].index("event")
    text = "\n".join(
        ",".join([*r[:place], r[place] if r is rows[0] else "0", *r[place + 1 :]]) for r in rows
    )
    clinical.write_text(text + "\n", encoding="utf-8")
    examination = examine(hospital)
    assert examination.healthy
    assert "has no event" in examination.warnings[0]


def test_site_without_modalities_is_said_to_have_none(tmp_path):
    (tmp_path / "site.toml").write_text('name = "x"\nrole = "evaluate-only"', encoding="utf-8")
    (tmp_path / "clinical.csv").write_text(
        "patient,time_days,event\np,5,1\nq,9,0\n", encoding="utf-8"
    )
    told = "\n".join(examine(tmp_path).lines)
    assert "is only evaluated" in told
    assert "Slides: none" in told
    assert "Omics: none" in told
    assert "2 patients, 1 event (50%)" in told


def test_gene_that_the_clip_would_flatten_is_named(hospital):
    import pandas as pd

    table = pd.read_parquet(hospital / "rna.parquet")
    table["GENE07"] = np.float32(61)
    table.to_parquet(hospital / "rna.parquet", index=False)
    warnings = examine(hospital).warnings
    assert ["most values of `GENE07` lie beyond 5" in warning for warning in warnings] == [True]


def test_coordinates_and_format_are_told(hospital):
    layouts.rewrite_site(hospital, "stamp")
    told = "\n".join(examine(hospital).lines)
    assert "Features are stamp (STAMP: `feats` and `coords`; recognised from the files)." in told
    assert "Coordinates: micrometre, patches of 256 (" in told


def test_unscaled_genes_are_seen(hospital):
    import pandas as pd

    table = pd.read_parquet(hospital / "rna.parquet")
    table.iloc[:, 1:] = table.iloc[:, 1:] * np.float32(100)
    table.to_parquet(hospital / "rna.parquet", index=False)
    assert any("rna looks unscaled" in warning for warning in examine(hospital).warnings)


def test_where_the_site_computes_is_told(hospital):
    described = hospital / "site.toml"
    described.write_text(f'device = "cpu"\n{described.read_text()}')
    assert examine(hospital).lines[-1].startswith("Computes on the processor (")


@pytest.mark.skipif(torch.cuda.is_available(), reason="torch sees a GPU on this machine")
def test_a_gpu_that_is_asked_for_and_absent_is_a_problem(hospital):
    described = hospital / "site.toml"
    described.write_text(f'device = "cuda"\n{described.read_text()}')
    assert any("no GPU here" in problem for problem in examine(hospital).problems)
