import torch


def test_linear_cox_starts_with_everybody_alike(make, batch):
    assert make("linear")(batch).tolist() == [0.0] * 5


def test_linear_cox_weighs_the_mean_patch_and_the_omics_vector(make, batch):
    model = make("linear").eval()
    weights = torch.arange(15.0)
    model.fusion.weights.weight.data = weights[None]
    mean_patch = batch.inputs["slides"].features[1, :3].mean(0)
    expected = weights @ torch.cat([mean_patch, batch.inputs["omics"][1]])
    torch.testing.assert_close(model(batch)[1], expected)
