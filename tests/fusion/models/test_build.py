import pytest
import torch

from fusion.config import ModelConfig
from fusion.errors import ConfigError, FederationError
from fusion.models.build import build_model, build_reference
from fusion.models.cost import count_parameters
from fusion.models.entries import MODELS

REFERENCE = {
    "early": 8_800_657,
    "cross_attention": 1_839_105,
    "bilinear": 537_345,
    "gated": 3_180_673,
}
WIDTHS = {"slides": 6, "omics": 9}
GROUPS = {"first": (0, 1, 2), "second": (3, 4)}


@pytest.mark.parametrize("name", REFERENCE)
def test_reference_configuration_has_the_published_number_of_parameters(name):
    assert count_parameters(build_reference(name)) == REFERENCE[name]


@pytest.mark.parametrize("name", REFERENCE)
def test_reference_configuration_reads_one_2048_vector_of_each_modality(name):
    fusion = build_reference(name).eval()
    tokens = torch.randn(3, 1, 2048)
    assert torch.isfinite(fusion({"slides": tokens, "omics": -tokens})).all()


def test_a_model_without_published_configuration_says_which_have_one():
    with pytest.raises(
        ConfigError, match=r"got 'late'. Choose one of early, cross_attention, bilinear, gated, mif"
    ):
        build_reference("late")


def test_registered_names_are_the_methods_promised():
    fusions = ["early", "late", "cross_attention", "bilinear", "gated", "mif"]
    fusions += ["subspace", "mcat", "pathway_tokens"]
    anchors = ["wsi_only", "omics_only", "abmil", "snn", "omics_linear", "linear"]
    anchors += ["small_head"]
    assert list(MODELS) == [*fusions, *anchors]


def test_unknown_model_names_the_nearest():
    with pytest.raises(ConfigError, match="Did you mean 'gated'"):
        build_model(ModelConfig(name="gatd"), WIDTHS, 1)


@pytest.mark.parametrize("name", ["early", "late", "cross_attention", "bilinear", "gated", "mif"])
def test_a_fusion_of_one_modality_is_refused(name):
    with pytest.raises(FederationError, match="must fuse at least 2 modalities, got omics"):
        build_model(ModelConfig(name=name), {"omics": 9}, 1)


@pytest.mark.parametrize(
    ("name", "lacks"),
    [
        ("wsi_only", "slides"), ("abmil", "slides"),
        ("omics_only", "omics"), ("snn", "omics"), ("omics_linear", "omics"),
    ],
)  # fmt: skip
def test_a_unimodal_model_needs_its_modality(name, lacks):
    widths = {key: width for key, width in WIDTHS.items() if key != lacks}
    with pytest.raises(FederationError, match=f"'{name}' must read {lacks}, got sites with"):
        build_model(ModelConfig(name=name), widths, 1)


def test_a_federation_without_any_modality_is_refused():
    with pytest.raises(FederationError, match="must fuse at least 1 modalities, got none"):
        build_model(ModelConfig(name="linear"), {}, 1)


def test_heads_must_divide_the_hidden_width():
    with pytest.raises(ConfigError, match=r"got 5 and 32. Set model.hidden to 35"):
        build_model(ModelConfig(name="cross_attention", heads=5), WIDTHS, 1)


def test_batch_normalisation_is_only_for_published_users_of_it():
    with pytest.raises(ConfigError, match="must be layer for model 'gated', got 'batch'"):
        build_model(ModelConfig(name="gated", norm="batch"), WIDTHS, 1)
    for name in ("bilinear", "mif"):
        model = build_model(ModelConfig(name=name, norm="batch"), WIDTHS, 1)
        assert any(isinstance(layer, torch.nn.BatchNorm1d) for layer in model.modules())


def test_no_model_has_batch_normalisation_by_default():
    for name in MODELS:
        layers = build_model(ModelConfig(name=name), WIDTHS, 1, GROUPS).modules()
        assert not any(isinstance(layer, torch.nn.modules.batchnorm._BatchNorm) for layer in layers)


def test_linear_cox_takes_whatever_modalities_there_are():
    # Weights: 6 + 9 features and a constant; a placeholder for each feature.
    assert count_parameters(build_model(ModelConfig(name="linear"), WIDTHS, 1)) == 6 + 9 + 1 + 15
    assert count_parameters(build_model(ModelConfig(name="linear"), {"omics": 9}, 1)) == 9 + 1 + 9


@pytest.mark.parametrize(
    "name", ["early", "late", "cross_attention", "bilinear", "gated", "linear"]
)
def test_fusions_take_more_than_two_modalities(name):
    widths = {"slides": 6, "rna": 9, "cnv": 4}
    model = build_model(ModelConfig(name=name), widths, 1)
    vectors = {key: torch.randn(3, 4, 32) for key in widths}
    if name == "linear":
        vectors = {key: torch.randn(3, 1, width) for key, width in widths.items()}
    present = {key: torch.ones(3).bool() for key in widths}
    assert torch.isfinite(model.fuse(vectors, present)).all()


def test_gated_attention_is_one_token_whatever_the_settings_say():
    model = build_model(ModelConfig(name="abmil", tokens=3, pooling="mean"), WIDTHS, 1)
    assert (model.modalities, model.shapes["slides"]) == (("slides",), (1, 32))
    # Layer 6 x 32 + 32, gates 2 x (32 x 32 + 32), score 32, risk 33, placeholder 32.
    assert count_parameters(model) == 224 + 2112 + 32 + 33 + 32


def test_linear_cox_on_omics_leaves_slides_alone():
    model = build_model(ModelConfig(name="omics_linear"), WIDTHS, 1)
    assert model.modalities == ("omics",)
    assert count_parameters(model) == 9 + 1 + 9
