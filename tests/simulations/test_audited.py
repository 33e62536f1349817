import pytest

from simulations.audited import audit_columns, is_error

AUDIT = {
    "shares": {
        "local": {
            "value": 0.2, "low": 0.1, "interaction": 0.2, "slides": 0.3, "omics": 0.5,
            "standard_errors": {"interaction": 0.02, "slides": 0.03, "omics": None},
        },
        "variance": {
            "value": None, "interaction": None, "r2_additive": None, "r2_additive_low": None,
            "standard_errors": {"interaction": None, "r2_additive": None},
        },
    },
    "signed": {
        "synergy": 0.15, "redundancy": 0.05, "synergy_patients": 0.7,
        "standard_errors": {"synergy": 0.01, "redundancy": 0.01, "synergy_patients": 0.1},
    },
    "concordance": {
        "full": 0.7, "gain": 0.01, "comparable_pairs": 9,
        "standard_errors": {"full": 0.05, "gain": 0.02},
    },
}  # fmt: skip


def test_each_figure_of_the_audit_is_a_column_with_its_error_beside_it():
    assert audit_columns(AUDIT) == {
        "local.interaction": 0.2, "local.interaction.se": 0.02,
        "local.slides": 0.3, "local.slides.se": 0.03,
        "local.omics": 0.5, "local.omics.se": None,
        "variance.interaction": None, "variance.interaction.se": None,
        "variance.r2_additive": None, "variance.r2_additive.se": None,
        "signed.synergy": 0.15, "signed.synergy.se": 0.01,
        "signed.redundancy": 0.05, "signed.redundancy.se": 0.01,
        "concordance.full": 0.7, "concordance.full.se": 0.05,
        "concordance.gain": 0.01, "concordance.gain.se": 0.02,
    }  # fmt: skip


@pytest.mark.parametrize("part", ["signed", "concordance"])
def test_a_result_of_before_a_part_was_told_gives_the_other_columns(part):
    older = {name: entry for name, entry in AUDIT.items() if name != part}
    names = [name for name in audit_columns(AUDIT) if not name.startswith(part)]
    assert list(audit_columns(older)) == names


def test_a_run_without_an_audit_has_no_columns():
    assert audit_columns(None) == {}


def test_errors_are_told_from_figures_by_their_ending():
    errors = [name for name in audit_columns(AUDIT) if is_error(name)]
    assert len(errors) == len(audit_columns(AUDIT)) / 2
