import torch

from fusion.encoders.groups import GroupEncoder

GROUPS = [(0, 2), (1, 2, 3)]


def make(**changes):
    torch.manual_seed(1)
    given = {"layers": (5,), "width": 4, "input_dropout": 0.0, "dropout": 0.0}
    return GroupEncoder(GROUPS, **(given | changes))


def test_a_group_reads_its_own_genes_alone():
    encoder, vector = make(), torch.randn(1, 6, requires_grad=True)
    for group, genes in enumerate(GROUPS):
        (slope,) = torch.autograd.grad(encoder(vector)[0, group].sum(), vector)
        assert slope[0].nonzero()[:, 0].tolist() == list(genes)


def test_tokens_are_elu_of_linear_layers():
    encoder, vector = make(layers=()), torch.randn(3, 6)
    first = encoder.networks[0][0]
    expected = torch.nn.functional.elu(vector[:, [0, 2]] @ first.weight.T + first.bias)
    torch.testing.assert_close(encoder(vector)[:, 0], expected)
    torch.testing.assert_close(make(layers=(), last=True)(vector)[:, 0], expected.relu())


def test_weights_start_with_variance_one_over_inputs_and_constants_at_zero():
    encoder = GroupEncoder([range(400)], layers=(300,), width=200, input_dropout=0.0, dropout=0.0)
    layers = [layer for layer in encoder.networks[0] if isinstance(layer, torch.nn.Linear)]
    for layer in layers:
        assert abs(layer.weight.var().item() * layer.in_features - 1) < 0.05
        assert not layer.bias.any()


def test_places_are_no_weights():
    assert not any("places" in name for name in make().state_dict())
