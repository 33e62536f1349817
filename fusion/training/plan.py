"""What the sites agree on before the first round, and the network that follows from it."""

import json
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from fusion.config import RunConfig
from fusion.errors import ModelFileError
from fusion.models.base import FusionModel
from fusion.models.build import build_model
from fusion.objectives.base import AbstractObjective
from fusion.objectives.build import build_objective
from fusion.objectives.intervals import Intervals
from fusion.readers.scaling import Scaling
from fusion.seeding import digest


@dataclass(frozen=True)
class Plan:
    """The agreed facts of a run: public, sent with every message, kept in the model file.

    Attributes:
        modalities: What the model reads, in the audit's order.
        encoder: Name of the slide feature encoder; empty without slides.
        feature_width: Features of a patch; 0 without slides.
        tables: Omics tables in use.
        clinical: Clinical columns appended to the omics vector.
        scaling: Names, means and standard deviations of all inputs.
        edges: Edges in days of the shared time intervals.
        rates: The federation's events a patient-year in them.

    Source: own.
    """

    modalities: tuple[str, ...]
    encoder: str
    feature_width: int
    tables: tuple[str, ...]
    clinical: tuple[str, ...]
    scaling: Scaling
    edges: tuple[float, ...]
    rates: tuple[float, ...]

    @property
    def widths(self) -> dict[str, int]:
        """Length of each modality's input vector."""
        sizes = {"slides": self.feature_width, "omics": len(self.scaling.names)}
        return {modality: sizes[modality] for modality in self.modalities}

    def to_text(self) -> str:
        """Return the plan as one JSON document; `from_text` gives an equal plan."""
        return json.dumps(
            {
                "modalities": self.modalities,
                "encoder": self.encoder,
                "feature_width": self.feature_width,
                "tables": self.tables,
                "clinical": self.clinical,
                "scaling": self.scaling.to_dict(),
                "edges": self.edges,
                "rates": self.rates,
            }
        )

    @classmethod
    def from_text(cls, text: str) -> "Plan":
        """Return the plan that `to_text` wrote."""
        tree = json.loads(text)
        return cls(
            modalities=tuple(tree["modalities"]),
            encoder=tree["encoder"],
            feature_width=tree["feature_width"],
            tables=tuple(tree["tables"]),
            clinical=tuple(tree["clinical"]),
            scaling=Scaling.from_dict(tree["scaling"]),
            edges=tuple(tree["edges"]),
            rates=tuple(tree["rates"]),
        )


class SurvivalNetwork(nn.Module):
    """A fusion model and the objective it is trained with; both are averaged over sites.

    Args:
        model: Maps modalities to one log hazard a patient.
        objective: Turns log hazards into a loss; may hold a shared baseline.

    Source: own.
    """

    def __init__(self, model: FusionModel, objective: AbstractObjective) -> None:
        super().__init__()
        self.model = model
        self.objective = objective


def build_network(plan: Plan, config: RunConfig) -> SurvivalNetwork:
    """Return the run's network with its initial weights.

    Args:
        plan: What the sites agreed on.
        config: The run's settings; its seed fixes the weights.

    Returns:
        The same network at every site and at the coordinator.

    Raises:
        ConfigError: The model or objective cannot be built so.

    Source: own.
    """
    model = build_model(config.model, plan.widths, digest(config.seed, "weights"))
    objective = build_objective(config.objective, Intervals(plan.edges), np.array(plan.rates))
    return SurvivalNetwork(model, objective)


def weights(network: nn.Module) -> dict[str, np.ndarray]:
    """Return a copy of the network's state as arrays.

    Source: own.
    """
    return {
        name: value.detach().cpu().numpy().copy() for name, value in network.state_dict().items()
    }


def load_weights(network: nn.Module, arrays: dict[str, np.ndarray]) -> None:
    """Put `arrays` into the network, every name and shape as it expects.

    Raises:
        ModelFileError: A name or shape differs.

    Source: own.
    """
    try:
        network.load_state_dict({name: torch.tensor(value) for name, value in arrays.items()})
    except RuntimeError as error:
        raise ModelFileError(
            f"Weights must be those of the network that plan and settings build, got {error}. "
            "Use the model.safetensors of a run as it was written."
        ) from None
