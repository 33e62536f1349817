"""What one patient's plain gradient gives away of their genes, and what a private one does."""

from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64
from torch import nn

from fusion.modalities import SLIDES
from fusion.training.data import Draw
from fusion.training.patient_losses import INPUT, PRESENT, PatientLosses, patient_tensors
from fusion.training.plan import Network
from privacy.attacks.leakage import compare, read_input
from privacy.calibration import plan_within
from privacy.engine import NoisyGradient, Patients
from privacy.plan import PrivacyPlan
from simulations.attacked_run import AttackedRun

EXAMPLE = PrivacyPlan(1.0, max_grad_norm=1.0, steps=1, delta=1e-3)
"""A single step at epsilon 8, for a run that has no noise of its own."""

EXAMPLE_EPSILON = 8.0


def leak_of(run: AttackedRun, reasons: dict[str, str]) -> dict[str, Any] | None:
    """Return what the first weights' gradient of one patient reveals, plain and private.

    The gradient is that of the model as it begins, without dropout: a coordinator chooses the
    model, and can ask for model.input-dropout = 0.

    Args:
        run: Whose model and patients.
        reasons: Takes why it could not be shown.

    Privacy: reads a patient of a simulation; tells how near the vector came, not the vector.

    Source: own.
    """
    network = run.network(trained=False)
    network.eval()
    for site in run.sites:
        for row in site.members:
            draw = Draw(run.config.seed, site.name, 1, 0)
            patient = patient_tensors(network, site.data, [row], draw)
            vectors = {
                name: patient[INPUT + name][0]
                for name in network.model.modalities
                if name != SLIDES and bool(patient[PRESENT + name][0])
            }
            for modality, vector in vectors.items():
                layer = _first_layer(network, patient, vector)
                if layer is not None:
                    plan = site.plan or plan_within(EXAMPLE_EPSILON, EXAMPLE)
                    true = vector.double().cpu().numpy()
                    return _shown(network, patient, layer, true, plan) | {"modality": modality}
    reasons["leakage"] = "no linear layer with a bias reads a patient's vector as it is"
    return None


def _first_layer(network: Network, patient: Patients, vector: torch.Tensor) -> nn.Linear | None:
    """Return a linear layer with a bias that one patient's vector enters unchanged."""
    found = list[nn.Linear]()

    def look(layer: nn.Linear, inputs: tuple[torch.Tensor, ...], _: object) -> None:
        if torch.equal(inputs[0].flatten(), vector):
            found.append(layer)

    layers = [part for part in network.modules() if isinstance(part, nn.Linear)]
    hooks = [part.register_forward_hook(look) for part in layers if part.bias is not None]
    with torch.no_grad():
        PatientLosses(network)(patient)
    for hook in hooks:
        hook.remove()
    return found[0] if found else None


def _shown(
    network: Network,
    patient: Patients,
    layer: nn.Linear,
    true: Float64[np.ndarray, " input"],
    plan: PrivacyPlan,
) -> dict[str, Any]:
    losses = PatientLosses(network)
    losses(patient).sum().backward()
    plain = compare(read_input(*_gradient(layer)), true)
    NoisyGradient(losses, plan).step([patient])
    private = compare(read_input(*_gradient(layer)), true)
    return {"plain": asdict(plain), "private": asdict(private), "numbers": len(true)}


def _gradient(
    layer: nn.Linear,
) -> tuple[Float64[np.ndarray, "output input"], Float64[np.ndarray, " output"]]:
    weight, bias = layer.weight.grad, layer.bias.grad
    if weight is None or bias is None:
        raise RuntimeError("a step must have been taken")
    return weight.double().cpu().numpy(), bias.double().cpu().numpy()
