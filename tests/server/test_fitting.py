import hashlib
from dataclasses import replace

import numpy as np
import pytest

from fusion.training.finished import read_finished
from server.fitting import objection
from server.members import Member


@pytest.fixture(scope="module")
def model(finished):
    return read_finished(finished.folder / "model.safetensors")


@pytest.fixture
def stranger(model):
    """A site that was not in the run, and has all that the model reads."""
    genes = [name.partition(":")[2] for name in model.plan.scaling.names]
    facts = {
        "encoder": model.plan.encoder, "feature-width": model.plan.feature_width,
        "tables": ["rna"], "features:rna": genes, "data-hash": "0" * 64,
    }  # fmt: skip
    return Member("graz", "train", (5, 2, 3), (2, 1, 1), (0, 0, 0), np.zeros(4), facts)


def told(member, **facts):
    return replace(member, facts={**member.facts, **facts})


def test_a_site_with_all_that_the_model_reads_fits(model, stranger):
    assert objection(stranger, model) is None


def test_a_site_without_a_modality_fits_as_in_a_run(model, stranger):
    assert objection(told(stranger, **{"feature-width": 0, "encoder": ""}), model) is None
    assert objection(told(stranger, tables=[]), model) is None


def test_patches_of_another_encoder_do_not_fit(model, stranger):
    why = objection(told(stranger, encoder="other"), model)
    assert why == "its patch features are 24 of 'other', the model reads 24 of 'synthetic-24'"


def test_patches_of_another_width_do_not_fit(model, stranger):
    assert "features are 7 of" in objection(told(stranger, **{"feature-width": 7}), model)


def test_a_table_that_lacks_a_feature_does_not_fit(model, stranger):
    genes = stranger.facts["features:rna"]
    why = objection(told(stranger, **{"features:rna": genes[1:]}), model)
    assert why == (
        f"its table rna lacks 1 of the {len(genes)} features that the model reads, such as "
        f"{genes[0]}"
    )


def test_a_fingerprint_is_of_data_role_and_counts(stranger):
    text = f'["{"0" * 64}", "train", [5, 2, 3], [2, 1, 1]]'
    assert stranger.fingerprint == hashlib.sha256(text.encode()).hexdigest()
    others = [
        told(stranger, **{"data-hash": "1" * 64}),
        replace(stranger, role="evaluate-only"),
        replace(stranger, patients=(4, 3, 3)),
        replace(stranger, events=(1, 2, 1)),
    ]
    assert len({one.fingerprint for one in (stranger, *others)}) == 5
    assert replace(stranger, name="wien").fingerprint == stranger.fingerprint
