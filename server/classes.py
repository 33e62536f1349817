"""Which classes a run predicts, and what each counts in the loss: from the sites' counts."""

from collections.abc import Sequence

from fusion.config import ObjectiveConfig, names
from fusion.errors import ConfigError, FederationError
from fusion.objectives.classification import balanced_weights
from fusion.registry import nearest
from server.members import Member


def choose_classes(members: Sequence[Member], config: ObjectiveConfig) -> tuple[str, ...]:
    """Return the classes of a run in order.

    Args:
        members: All sites, as they described themselves.
        config: Names the label, and perhaps its classes.

    Returns:
        Those that the settings name, else all that a site has, sorted.

    Raises:
        ConfigError: The settings name a class without a training patient anywhere.
        FederationError: There is one class only, or one that nobody can train on.

    Source: own.
    """
    asked = names(config.classes)
    counts = training_counts_of(members)
    found = asked or tuple(sorted(counts))
    if all(member.counted for member in members):
        for name in found:
            if not counts.get(name, 0):
                raise _untrained(name, asked, counts)
    if len(found) < 2:
        raise FederationError(
            f"Label '{config.label}' must have two or more classes in the federation, got "
            f"{len(found)} ({', '.join(found) or 'no patient has it'}). Add sites, or predict "
            "another label."
        )
    return found


def choose_weights(
    members: Sequence[Member], classes: Sequence[str], config: ObjectiveConfig
) -> tuple[float, ...]:
    """Return what a patient of each class counts in the loss.

    Raises:
        ConfigError: The classes are to count alike, and no site tells how many patients each has.

    Source: own.
    """
    if config.class_weights == "none":
        return (1.0,) * len(classes)
    counts = training_counts_of([member for member in members if member.counted])
    if not all(counts.get(name, 0) for name in classes):
        raise ConfigError(
            "objective.class-weights must be none where the sites do not tell patients of each "
            f"class, got {config.class_weights}. Set it so, or let a policy release `counts`."
        )
    return balanced_weights([counts[name] for name in classes])


def training_counts_of(members: Sequence[Member]) -> dict[str, int]:
    """Return the training patients of each class at all sites together.

    Source: own.
    """
    total: dict[str, int] = {}
    for member in members:
        for name, numbers in (member.labels or {}).items():
            total[name] = total.get(name, 0) + (numbers[0] if member.trains else 0)
    return total


def _untrained(name: str, asked: Sequence[str], counts: dict[str, int]) -> ConfigError:
    known = [word for word, number in counts.items() if number]
    if asked:
        return ConfigError(
            f"objective.classes must name classes that a site has training patients of, got "
            f"'{name}'. {nearest(name, known)}"
        )
    return ConfigError(
        f"Every class must have training patients at a site, got none of '{name}'. Write "
        f"objective.classes without it: {','.join(sorted(known))}."
    )
