import pytest

from fusion.errors import ConfigError
from fusion.registry import Registry, nearest


@pytest.fixture
def fruits():
    registry = Registry("fruit")
    registry.add("pear", 1)
    registry.add("apple", 2)
    return registry


def test_an_entry_comes_back_under_its_name(fruits):
    assert fruits["apple"] == 2
    assert fruits.add("plum", 3) == 3


def test_names_keep_the_order_of_registration(fruits):
    assert (list(fruits), len(fruits)) == (["pear", "apple"], 2)


def test_an_unknown_name_names_the_nearest(fruits):
    with pytest.raises(ConfigError, match=r"fruit must be registered, got 'appel'.*'apple'"):
        fruits["appel"]


def test_a_name_near_nothing_lists_all(fruits):
    with pytest.raises(ConfigError, match=r"got 'zzz'\. Known: apple, pear\."):
        fruits["zzz"]


def test_a_name_is_registered_once(fruits):
    with pytest.raises(ConfigError, match="fruit 'pear' is registered twice"):
        fruits.add("pear", 4)


def test_the_nearest_of_several_is_named():
    assert nearest("gate", ["late", "gated", "early"]) == "Did you mean 'gated'?"
