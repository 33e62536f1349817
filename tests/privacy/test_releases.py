import pytest

from privacy.errors import PrivacyError
from privacy.releases import RELEASES, check_releases


def test_what_is_on_the_list_may_leave():
    check_releases(RELEASES)


def test_a_suffix_belongs_to_its_stem():
    check_releases(["features:rna", "features:any table"])


@pytest.mark.parametrize("name", ["risks", "patient", "", ":features", "model.weights", "Model"])
def test_what_is_not_on_the_list_may_not_leave(name):
    with pytest.raises(PrivacyError, match=rf"must be on the list .*, got '{name}'\. Nothing was"):
        check_releases(["site", name])


def test_the_refusal_may_leave_because_it_holds_no_value():
    with pytest.raises(PrivacyError) as error:
        check_releases(["risks"])
    assert error.value.public == str(error.value)


def test_every_release_is_explained_to_a_privacy_officer():
    for release in RELEASES.values():
        assert release.kind in ("model", "sums", "figure", "fact", "masked")
        assert release.says.endswith(".")


def test_weights_and_the_mean_gradient_are_all_that_is_as_large_as_a_model():
    assert [name for name, r in RELEASES.items() if r.kind == "model"] == ["model", "control"]
