import numpy as np
import pytest

from fusion.config import from_flat
from fusion.errors import ConfigError, FederationError
from server.inputs import choose_inputs
from server.members import Member

GENES = {"rna": ["B", "A"], "cnv": ["A", "C"], "mutation": ["D"]}


def member(name="lyon", *, tables=("rna", "cnv"), width=3, role="train", encoder="e"):
    facts = {"encoder": encoder, "feature-width": width, "tables": list(tables)}
    facts |= {f"features:{table}": GENES[table] for table in tables}
    return Member(name, role, (8, 2, 4), (3, 1, 1), (0, 0, 0), np.zeros(0), facts)


def chosen(*members, **settings):
    changes = {key.replace("_", ".", 1): value for key, value in settings.items()}
    return choose_inputs(members or (member(),), from_flat(changes))


def test_by_default_slides_and_all_tables_are_read():
    found = chosen(data_clinical="age")
    assert found.modalities == ("slides", "omics")
    assert (found.encoder, found.width, found.tables) == ("e", 3, ("cnv", "rna"))
    assert found.features == ("cnv:A", "cnv:C", "rna:A", "rna:B", "clinical:age")


def test_modalities_stand_in_the_order_of_the_settings():
    found = chosen(data_modalities="rna,clinical,omics,slides", data_clinical="age")
    assert found.modalities == ("rna", "clinical", "omics", "slides")
    assert found.tables == ("cnv", "rna")


def test_what_nobody_can_train_on_drops_out():
    assert chosen(member(width=0)).modalities == ("omics",)
    assert chosen(member(tables=())).modalities == ("slides",)
    held_out = member("porto", role="evaluate-only")
    assert chosen(member(width=0), held_out).modalities == ("omics",)


def test_a_model_of_one_modality_asks_for_nothing_else():
    slides = chosen(model_name="wsi_only", data_clinical="age")
    assert (slides.features, slides.tables, slides.clinical, slides.width) == ((), (), (), 3)
    omics = chosen(model_name="omics_only")
    assert (omics.encoder, omics.width) == ("", 0)
    assert omics.known == slides.known == ("cnv", "rna", "slides")


def test_encoders_may_differ_where_slides_are_not_read():
    both = member(), member("porto", encoder="f")
    assert chosen(*both, model_name="omics_only").modalities == ("omics",)
    with pytest.raises(FederationError, match="one slide feature encoder"):
        chosen(*both)


def test_a_named_table_may_be_missing_at_a_site():
    """Its patients lack the modality; inside `omics` such a table is left out of all."""
    both = member(tables=("rna", "cnv")), member("porto", tables=("cnv",))
    assert chosen(*both).tables == ("cnv",)
    found = chosen(*both, data_modalities="slides,rna,omics")
    assert (found.modalities, found.tables) == (("slides", "rna", "omics"), ("cnv", "rna"))
    only = chosen(*both, data_modalities="slides,rna")
    assert (only.tables, only.features) == (("rna",), ("rna:A", "rna:B"))


def test_a_site_with_named_tables_alone_does_not_empty_omics():
    both = member(tables=("rna", "cnv")), member("porto", tables=("rna",))
    assert chosen(*both, data_modalities="rna,omics").tables == ("cnv", "rna")


def test_a_named_table_that_nobody_trains_on_names_the_nearest():
    with pytest.raises(ConfigError, match=r"a site can train on, got 'rnaa'\. Did you mean 'rna'"):
        chosen(data_modalities="slides,rnaa")
    with pytest.raises(ConfigError, match=r"got 'rna'\. No site has a table"):
        chosen(member(tables=()), member("p", role="evaluate-only"), data_modalities="slides,rna")


def test_a_model_that_takes_omics_needs_the_word():
    with pytest.raises(
        ConfigError, match=r"must name omics for model 'omics_only', got 'slides,rna'\. Add omics"
    ):
        chosen(model_name="omics_only", data_modalities="slides,rna")
