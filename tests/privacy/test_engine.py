import pytest
import torch

from privacy.engine import ENGINES

POOLINGS = pytest.mark.parametrize("pooling", ["mean", "attention"])
HOOKS = pytest.mark.filterwarnings("ignore:Full backward hook is firing:UserWarning")


def one_at_a_time(losses, patients, pick):
    """Each patient's gradient from an ordinary backward pass over that patient alone."""
    found = {name: [] for name, _ in losses.named_parameters()}
    for place in range(6):
        losses.zero_grad()
        losses(pick(patients, [place])).sum().backward()
        for name, parameter in losses.named_parameters():
            found[name].append(parameter.grad.clone())
    losses.zero_grad()
    return {name: torch.stack(values) for name, values in found.items()}


@HOOKS
@POOLINGS
@pytest.mark.parametrize("engine", list(ENGINES))
def test_both_engines_give_each_patient_the_gradient_of_a_loop(
    losses_of, patients_for, pick_patients, model_name, objective_name, engine, pooling
):
    losses = losses_of(model_name, objective_name, pooling=pooling)
    patients = patients_for(losses)
    gradients, each = ENGINES[engine](losses, patients)
    expected = one_at_a_time(losses, patients, pick_patients)
    assert gradients.keys() == expected.keys()
    for name, value in expected.items():
        assert len(gradients[name]) == 6
        torch.testing.assert_close(gradients[name], value, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(each, losses(patients).detach(), rtol=1e-4, atol=1e-5)
