"""What the sites agree on before the first round, and the network that follows from it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Float32
from torch import nn

from fusion.config import RunConfig
from fusion.errors import ConfigError, ModelFileError
from fusion.modalities import OMICS, SLIDES, parts
from fusion.models.base import FusionModel
from fusion.models.build import build_model
from fusion.objectives.base import AbstractObjective, AbstractSurvivalObjective
from fusion.objectives.build import build_objective
from fusion.objectives.intervals import Intervals
from fusion.readers.components import Projection, transform_tables
from fusion.readers.omics import OmicsVector, align, positions
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
        clinical: Clinical columns in use, inside `omics` or as a modality.
        scaling: Names, means and standard deviations of all inputs.
        edges: Edges in days of the shared time intervals.
        rates: The federation's events a patient-year in them.
        projections: For each table, and `slides`, of which components are read, the way to them.
        groups: Groups of genes as names of features, for a model that reads groups.
        classes: Names of the classes that are predicted, in order; none = survival, and then
            `edges` and `rates` are empty instead.
        class_weights: What a patient of each class counts in the loss.

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
    projections: Mapping[str, Projection]
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    class_weights: tuple[float, ...] = ()

    @property
    def widths(self) -> dict[str, int]:
        """Length of each modality's input vector."""
        sizes = {name: len(places) for name, places in positions(self.scaling.names).items()}
        sizes |= {SLIDES: self.feature_width}
        sizes |= {name: found.number for name, found in self.projections.items()}
        vectors = {name: sum(sizes[part] for part in own) for name, own in self.parts.items()}
        return {name: vectors.get(name, sizes[SLIDES]) for name in self.modalities}

    @property
    def parts(self) -> dict[str, tuple[str, ...]]:
        """What stands behind each modality that is read as a vector."""
        return parts(self.modalities, positions(self.scaling.names))

    @property
    def group_places(self) -> dict[str, tuple[int, ...]]:
        """Where the features of each group stand in the vector of `omics`, if that is read."""
        if OMICS not in self.modalities:
            return {}
        found = positions(self.scaling.names)
        order = [place for part in self.parts[OMICS] for place in found[part]]
        places = {self.scaling.names[place]: number for number, place in enumerate(order)}
        return {name: tuple(places[one] for one in own) for name, own in self.groups.items()}

    def present(self, vector: OmicsVector, modality: str) -> Bool[np.ndarray, " patient"]:
        """Return which patients have one of the vector modalities; the features are aligned."""
        own = self.parts[modality]
        features = [name for name in self.scaling.names if name.partition(":")[0] in own]
        return align(vector, tuple(features)).present

    def transform_vectors(self, vector: OmicsVector) -> dict[str, Float32[np.ndarray, "patient _"]]:
        """Return aligned features by modality, standardised or as their components."""
        blocks = transform_tables(vector, self.scaling, self.projections)
        return {
            modality: np.concatenate([blocks[part] for part in own], axis=1)
            for modality, own in self.parts.items()
        }

    def transform_patches(
        self, patches: Float32[np.ndarray, "patch _"]
    ) -> Float32[np.ndarray, "patch _"]:
        """Return patches as the model reads them: standardised, or their components."""
        scaled, projection = self.scaling.transform_patches(patches), self.projections.get(SLIDES)
        return scaled if projection is None else projection.apply(scaled)

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
                "projections": {
                    name: projection.to_dict() for name, projection in self.projections.items()
                },
                "groups": dict(self.groups),
                "classes": self.classes,
                "class_weights": self.class_weights,
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
            projections={
                name: Projection.from_dict(plain) for name, plain in tree["projections"].items()
            },
            # a plan of before groups or classes existed has none
            groups={name: tuple(own) for name, own in tree.get("groups", {}).items()},
            classes=tuple(tree.get("classes", ())),
            class_weights=tuple(tree.get("class_weights", ())),
        )


class Network(nn.Module):
    """A fusion model and the objective it is trained with; both are averaged over sites.

    Args:
        model: Maps modalities to one log hazard a patient, or one logit a class.
        objective: Turns these scores into a loss; may hold a shared baseline.

    Attributes:
        couples_patients: True = one patient's part of the training loss depends on others.

    Source: own.
    """

    def __init__(self, model: FusionModel, objective: AbstractObjective) -> None:
        super().__init__()
        self.model = model
        self.objective = objective
        self.couples_patients = objective.couples_patients or model.fusion.couples_patients

    @property
    def survival(self) -> AbstractSurvivalObjective:
        """The objective of a network that predicts survival.

        Raises:
            ConfigError: It predicts classes.
        """
        if not isinstance(self.objective, AbstractSurvivalObjective):
            raise ConfigError(
                "Survival must come from a model of survival, got one of classes. Choose a model "
                "with another objective."
            )
        return self.objective


def build_network(plan: Plan, config: RunConfig) -> Network:
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
    seed = digest(config.seed, "weights")
    classes = len(plan.classes)
    model = build_model(config.model, plan.widths, seed, plan.group_places, classes)
    intervals = None if plan.classes else Intervals(plan.edges)
    rates, told = np.array(plan.rates), plan.class_weights
    return Network(model, build_objective(config.objective, intervals, rates, told))


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
        lines = str(error).splitlines()  # the first names the class, then one a difference
        raise ModelFileError(
            f"Weights must be those of the network that plan and settings build, got "
            f"{lines[min(1, len(lines) - 1)].strip()[:200]}. "
            "Use the model.safetensors of a run as it was written."
        ) from None
