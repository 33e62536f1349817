import torch

from fusion.encoders.genes import RawVector, SelfNormalisingEncoder, VectorEncoder


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


def test_self_normalising_units_keep_mean_0_and_variance_1_with_and_without_dropout():
    torch.manual_seed(0)
    encoder = SelfNormalisingEncoder(400, width=300, input_dropout=0.2, dropout=0.2)
    vectors = torch.randn(500, 400)
    for training in (True, False):
        tokens = encoder.train(training)(vectors)
        assert tokens.shape == (500, 1, 300)
        # Random weights of 400 inputs move mean and variance by a few hundredths.
        assert tokens.mean().abs() < 0.05
        assert abs(tokens.var() - 1) < 0.1
