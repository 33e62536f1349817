import pytest

from fusion.config import DataConfig, from_flat
from fusion.errors import ConfigError
from fusion.modalities import is_wanted, lacks, parts, tables_named

TABLES = ("cnv", "mutation", "rna", "clinical")


def data(modalities="slides,omics", **settings):
    return DataConfig(modalities=modalities, **settings)


def test_by_default_all_tables_and_clinical_columns_are_one_modality():
    assert parts(("slides", "omics"), TABLES) == {"omics": TABLES}


def test_a_named_table_leaves_omics():
    assert parts(("slides", "rna", "omics"), TABLES) == {
        "rna": ("rna",),
        "omics": ("cnv", "mutation", "clinical"),
    }


def test_clinical_columns_leave_omics_when_they_are_named():
    assert parts(("omics", "clinical"), TABLES) == {
        "omics": ("cnv", "mutation", "rna"),
        "clinical": ("clinical",),
    }


def test_a_word_without_a_table_has_nothing_behind_it():
    assert parts(("rna", "clinical"), ("rna",)) == {"rna": ("rna",), "clinical": ()}


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        (data(), "cnv rna"),
        (data(omics="cnv"), "cnv"),
        (data("slides,rna"), "rna"),
        (data("slides,rna,omics", omics="cnv"), "cnv rna"),
        (data("slides"), ""),
    ],
)
def test_tables_are_wanted_alone_or_inside_omics(settings, wanted):
    found = [table for table in ("cnv", "rna") if is_wanted(table, settings)]
    assert found == wanted.split()


def test_tables_named_are_the_words_that_are_none_of_ours():
    assert tables_named(data("slides,rna,omics,cnv,clinical")) == ("rna", "cnv")


def test_what_patients_lack_is_counted_a_modality():
    assert lacks(data()) == ("slides", "omics", "partial_omics")
    assert lacks(data("slides,rna,clinical")) == ("slides", "rna", "clinical")


@pytest.mark.parametrize(
    "text", ["", "slides,slides", "a,b,c,d,e,f", "slides,full", "slides,r.na", "slides,r na"]
)
def test_words_that_do_not_go_together_are_refused(text):
    with pytest.raises(ConfigError, match=r"data.modalities must be 1 to 5 different words"):
        from_flat({"data.modalities": text})


def test_clinical_needs_columns_and_columns_need_a_reader():
    with pytest.raises(ConfigError, match=r"data.clinical must name columns when data.modalities"):
        from_flat({"data.modalities": "slides,clinical"})
    with pytest.raises(ConfigError, match=r"data.modalities must name clinical or omics when"):
        from_flat({"data.modalities": "slides,rna", "data.clinical": "age"})
