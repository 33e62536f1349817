"""Each patient's own loss as a function of plain tensors, for engines that work by patient."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fusion.encoders.dropout import dropout_states, set_dropout_states
from fusion.modalities import SLIDES
from fusion.training.data import Draw, PatientData
from fusion.training.plan import Network
from fusion.types import Bags, Batch

REAL, RANK, DROPOUT = "real-patches", "patch-ranks", "dropout"
INPUT, PRESENT, TARGET = "input:", "present:", "target:"


class PatientLosses(nn.Module):
    """A network with its objective: tensors with one row a patient in, one loss a patient out.

    All of a patient is in one row: the patches of all slides, every vector, and the outcome. Not
    for an objective that couples patients: it has no loss of one patient.

    Args:
        network: What is trained; shared, not copied.

    Source: own.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    @property
    def couples_patients(self) -> bool:
        """Whether one patient's loss depends on other patients."""
        return self.network.objective.couples_patients

    def forward(self, patients: Mapping[str, Tensor]) -> Float[Tensor, " patient"]:
        """Return the loss of each row of `patients`, as `patient_tensors` makes them."""
        model, objective = self.network.model, self.network.objective
        set_dropout_states(model, patients[DROPOUT])
        scores = model(_batch(patients, model.modalities))
        set_dropout_states(model, None)
        columns = [scores.flatten(1) if scores.ndim > 1 else scores[:, None]]
        columns += [patients[TARGET + name][:, None] for name in objective.targets]
        return objective(torch.cat([column.double() for column in columns], 1))


def patient_tensors(
    network: Network, data: PatientData, rows: Sequence[int], draw: Draw
) -> dict[str, Tensor]:
    """Return what `PatientLosses` reads of some patients in one training step.

    Args:
        network: Its dropout layers are drawn for.
        data: The site's patients.
        rows: Which of them; at least one.
        draw: Decides patches and dropout, patient by patient.

    Returns:
        Tensors with one row a patient; bags are padded to the longest one.

    Privacy: patient data; it stays in the process.

    Source: own.
    """
    keys, targets = data.keys(rows, draw), data.targets(rows, network.objective.targets)
    batch = data.batch(rows, keys)
    numbers = torch.tensor(keys, dtype=torch.int64, device=data.device)
    found = {
        DROPOUT: dropout_states(network.model, numbers),
        **{TARGET + name: values for name, values in targets.items()},
    }
    for name, values in batch.inputs.items():
        found[PRESENT + name] = batch.present[name]
        found[INPUT + name] = values.features if isinstance(values, Bags) else values
        if isinstance(values, Bags):
            found |= {REAL: values.mask} | ({} if values.rank is None else {RANK: values.rank})
    return found


def _batch(patients: Mapping[str, Tensor], modalities: Sequence[str]) -> Batch:
    inputs = {
        name: Bags(patients[INPUT + name], patients[REAL], patients.get(RANK))
        if name == SLIDES
        else patients[INPUT + name]
        for name in modalities
    }
    return Batch(inputs, {name: patients[PRESENT + name] for name in modalities})
