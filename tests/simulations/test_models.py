import json
from pathlib import Path

import pytest

from fusion.models.entries import MODELS
from simulations.models import list_models


def test_listing_has_every_registered_model():
    rows = list_models()
    assert [row["name"] for row in rows] == list(MODELS)
    assert json.loads(json.dumps(rows)) == rows


def test_reference_listing_counts_the_published_fusion_networks():
    # Products of the gated network: 2 x 2048 x 256 + 2 x 4096 x 256 + 512 x 64 + 64 = 3,178,560.
    rows = {row.pop("name"): row for row in list_models(reference=True)}
    assert list(rows) == [name for name in MODELS if MODELS[name].reference]
    assert rows["gated"] == {"parameters": 3_180_673, "macs": 3_178_560}
    assert rows["mif"] == {"parameters": 197_665, "macs": 8_551_488}


@pytest.mark.parametrize("couples", [True, False])
def test_record_level_privacy_needs_an_objective_that_does_not_couple(couples):
    for row in list_models(objective_couples=couples):
        own = row["name"] == "subspace"  # its consistency compares patients
        assert row["couples_patients"] is (couples or own)
        assert row["record_level_dp"] is not (couples or own)


def test_omics_alone_costs_its_two_layers():
    row = next(row for row in list_models() if row["name"] == "omics_only")
    # Weights: 1500 x 128 and 128; constants 128 and 1; placeholder 128.
    assert row["parameters"] == 1500 * 128 + 128 + 128 + 1 + 128
    # Products: 1500 x 128 + 128, and the placeholder's constant times its 128 values.
    assert row["macs"] == 1500 * 128 + 128 + 128


def test_the_table_for_readers_says_what_the_listing_says():
    text = (Path(__file__).parents[2] / "fusion" / "README.md").read_text(encoding="utf-8")
    published = {row["name"]: row for row in list_models(reference=True)}
    for row in list_models():
        cells = [f"`{row['name']}`", f"{row['parameters']:,}", f"{row['macs']:,}"]
        other = published.get(row["name"])
        cells += [f"{other['parameters']:,}", f"{other['macs']:,}"] if other else ["-", "-"]
        assert f"| {' | '.join(cells)} |" in text
