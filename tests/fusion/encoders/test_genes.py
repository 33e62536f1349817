import torch

from fusion.encoders.genes import RawVector, VectorEncoder


def test_vector_is_split_into_tokens_in_order():
    encoder = VectorEncoder(2, tokens=2, width=1, dropout=0.0)
    encoder.project.weight.data = torch.tensor([[1.0, 0.0], [0.0, -1.0]])
    encoder.project.bias.data = torch.tensor([0.5, 1.0])
    # Token 1: ReLU(3 + .5) = 3.5; token 2: ReLU(-4 + 1) = 0.
    assert encoder(torch.tensor([[3.0, 4.0]])).tolist() == [[[3.5], [0.0]]]


def test_raw_vector_is_one_token():
    vector = torch.randn(3, 4)
    assert torch.equal(RawVector(4, dropout=0.0)(vector), vector[:, None])


def test_input_features_are_dropped_in_training_only():
    torch.manual_seed(0)
    encoder, vector = RawVector(100, dropout=0.5), torch.ones(1, 100)
    assert (encoder(vector) == 0).any()
    assert torch.equal(encoder.eval()(vector)[:, 0], vector)
