import pytest
import torch

from fusion.encoders.genes import RawVector
from fusion.models.base import FusionModel, Placeholder, Shape, flattened, shapes_of
from fusion.models.linear import Linear


def test_placeholder_stands_only_where_the_patient_lacks_the_modality():
    placeholder = Placeholder(Shape(tokens=2, width=1))
    placeholder.value.weight.data = torch.tensor([[5.0], [6.0]])
    tokens = torch.tensor([[[1.0], [2.0]], [[3.0], [4.0]]])
    placed = placeholder(tokens, torch.tensor([True, False]))
    assert placed.tolist() == [[[1.0], [2.0]], [[5.0], [6.0]]]


def test_placeholder_starts_at_zero():
    assert not Placeholder(Shape(2, 3))(torch.ones(1, 2, 3), torch.tensor([False])).any()


def test_tokens_are_laid_end_to_end_in_the_order_of_modalities():
    embeddings = {"b": torch.tensor([[[1.0, 2.0], [3.0, 4.0]]]), "a": torch.tensor([[[5.0]]])}
    assert [vector.tolist() for vector in flattened(embeddings)] == [[[1, 2, 3, 4]], [[5]]]


def test_shapes_follow_the_encoders():
    assert shapes_of({"rna": RawVector(7, dropout=0.0)}) == {"rna": Shape(1, 7)}
    assert Shape(3, 4).flat == 12


@pytest.mark.parametrize("order", [("rna", "cnv"), ("cnv", "rna")])
def test_fusing_does_not_depend_on_the_order_embeddings_come_in(order):
    encoders = {name: RawVector(2, dropout=0.0) for name in ("rna", "cnv")}
    model = FusionModel(encoders, Linear(shapes_of(encoders)))
    model.fusion.weights.weight.data = torch.tensor([[1.0, 1.0, 10.0, 10.0]])
    tokens = {"rna": torch.ones(1, 1, 2), "cnv": 2 * torch.ones(1, 1, 2)}
    present = {name: torch.tensor([True]) for name in order}
    # 1 + 1 from rna, 20 + 20 from cnv.
    assert model.fuse({name: tokens[name] for name in order}, present).tolist() == [42.0]
