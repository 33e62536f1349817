import pytest

from fusion.config import from_flat
from fusion.errors import ConfigError
from fusion.lists import names, numbers, pairs, sizes


def test_names_leave_out_blanks():
    assert names(" rna, cnv ,,") == ("rna", "cnv")
    assert names("") == ()


def test_numbers_are_read_in_order():
    assert numbers("233.5, 511,929", "cuts") == (233.5, 511.0, 929.0)


def test_pairs_are_names_with_numbers():
    assert pairs(" rna = 12, slides=16,", "k") == {"rna": 12, "slides": 16}
    assert pairs("", "k") == {}


@pytest.mark.parametrize(
    "text", ["rna", "rna=", "=3", "rna=0", "rna=-1", "a=1,a=2", "a=1.5", "a=" + "9" * 5000]
)
def test_pairs_of_another_form_are_refused(text):
    with pytest.raises(ConfigError, match=r"data.components must be different names, each with"):
        from_flat({"data.components": text})


def test_sizes_are_whole_numbers_in_any_order():
    assert sizes(" 384,128, 64", "k") == (384, 128, 64)
    assert sizes("", "k") == ()


@pytest.mark.parametrize("text", ["0", "-3", "1.5", "a", "16384", "9" * 5000])
def test_sizes_of_another_form_are_refused(text):
    with pytest.raises(ConfigError, match=r"model.layers must be whole numbers from 1 to 16383"):
        from_flat({"model.layers": text})
