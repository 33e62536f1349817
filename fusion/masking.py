"""Words of the audit's settings: what stands for a hidden modality, and which scales it reads."""

from fusion.errors import ConfigError
from fusion.lists import names, numbers
from fusion.registry import nearest
from fusion.sections import AuditConfig, EvaluationConfig

EMBEDDING_MEAN, INPUT_MEAN, ZERO, MARGINAL = BACKGROUNDS = (
    "embedding-mean",
    "input-mean",
    "zero",
    "marginal",
)
"""What `audit.background` may be; all but `marginal` are the same at every site."""

CUMULATIVE_HAZARD, SURVIVAL = TIME_SCALES = ("cumulative-hazard", "survival")
"""Scales of a survival model, at a time."""

PROBABILITY = "probability"
"""Scale of a model of classes: the predicted class's probability."""

SCALES = (*TIME_SCALES, PROBABILITY)
"""What `audit.scales` may name."""


def needs_embeddings(audit: AuditConfig, modalities: tuple[str, ...]) -> bool:
    """Return whether the closing audit's background is made from sums of the sites' embeddings.

    Args:
        audit: The audit's settings.
        modalities: What the model reads; of one modality there is no audit.

    Source: own.
    """
    return audit.background == EMBEDDING_MEAN and len(modalities) > 1


def check_audit(audit: AuditConfig, evaluation: EvaluationConfig) -> None:
    """Raise unless the words of the audit's settings fit together.

    Raises:
        ConfigError: A scale is not known, or there is no time to read it at; or a run that trains
            is to audit another split than its test patients.

    Source: own.
    """
    _check_split(audit)
    for scale in names(audit.scales):
        if scale not in SCALES:
            raise ConfigError(
                f"audit.scales must be some of {', '.join(SCALES)}, got '{scale}'. "
                f"{nearest(scale, SCALES)}"
            )
    timed = set(TIME_SCALES) & set(names(audit.scales))
    if timed and not numbers(evaluation.horizons, "evaluation.horizons"):
        raise ConfigError(
            f"audit.scales must have a time to be read at, got '{audit.scales}' and no "
            "evaluation.horizons. Name one or more, in days."
        )


def _check_split(audit: AuditConfig) -> None:
    """Raise unless a run's own audit is of its test patients."""
    if audit.split != "test" and not audit.model_file:
        raise ConfigError(
            f"audit.split must be test in a run that trains, got '{audit.split}'. Audit the "
            "finished model again, with audit.model-file."
        )
