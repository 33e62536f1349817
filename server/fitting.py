"""Whether settings and sites fit a finished model, so that no figure passes for what it is not."""

from collections.abc import Mapping
from pathlib import Path

from fusion.config import RunConfig, flatten, from_flat
from fusion.errors import ConfigError
from fusion.modalities import SLIDES
from fusion.training.finished import FinishedModel, read_finished
from server.members import Member

FREE = (
    "out", "resume", "sites", "threads", "evaluation.horizons", "federation.quorum",
    "federation.attempts", "federation.expected-sites", "federation.wait-seconds",
    "federation.deadline-seconds",
)  # fmt: skip
"""Settings in which a re-audit may differ from its model's run, beside `audit` and `alerts`."""


def settings_for(
    model_file: Path, *, out: Path, split: str, changes: Mapping[str, str]
) -> RunConfig:
    """Return the settings of a re-audit: those of the model's run but for the audit.

    Args:
        model_file: `model.safetensors` of a run.
        out: Folder for the audit.
        split: Whose patients.
        changes: Settings by dotted key, such as `audit.background`.

    Returns:
        Settings with absolute paths.

    Raises:
        ModelFileError: The file is not a finished model.
        ConfigError: A change does not fit, or is of a setting that the model was trained with.

    Source: own.
    """
    trained = read_finished(model_file).run
    paths = {"out": str(out.absolute()), "audit.model-file": str(model_file.absolute())}
    config = from_flat({"audit.split": split, **changes, **paths}, trained)
    check_settings(config, trained)
    return config


def check_settings(config: RunConfig, trained: RunConfig) -> None:
    """Raise unless a re-audit leaves every setting that made the model as it was.

    Splits and scaling follow from them: with others, training patients could pass as test patients.

    Raises:
        ConfigError: Names the first setting that differs.

    Source: own.
    """
    before = flatten(trained)
    for key, value in flatten(config).items():
        free = key in FREE or key.startswith(("audit.", "alerts."))
        if value != before[key] and not free:
            raise ConfigError(
                f"A re-audit must keep the settings of its model, got {key} = {value} where it was "
                f"trained with {before[key]}. Leave it out: `concord-simulate audit` and "
                "`concord-server audit` take it from the model."
            )
    if config.resume:
        raise ConfigError("A re-audit must begin anew, got resume = true. Leave it out.")


def objection(member: Member, finished: FinishedModel) -> str | None:
    """Return why a site cannot audit a model, or None.

    Args:
        member: The site as it described itself.
        finished: The model.

    Returns:
        A sentence without its full stop. A site of the model's run must hold the very data and
        splits it had then, or training patients could pass as test patients. Sites are known by
        name: one that was not in the run is taken as new, and the audit says that it was not.

    Source: own.
    """
    if finished.data.get(member.name, member.fingerprint) != member.fingerprint:
        return (
            "its data or splits are not those that the model was trained with, so its training "
            "patients could pass as test patients"
        )
    return _misfit(member, finished)


def _misfit(member: Member, finished: FinishedModel) -> str | None:
    """Return what the model reads and a site has otherwise or not at all, or None."""
    plan, facts = finished.plan, member.facts
    own = (str(facts["encoder"]), int(facts["feature-width"]))
    if SLIDES in plan.modalities and own[1] and own != (plan.encoder, plan.feature_width):
        return (
            f"its patch features are {own[1]} of '{own[0]}', the model reads {plan.feature_width} "
            f"of '{plan.encoder}'"
        )
    for table in plan.tables:
        if table in facts["tables"]:
            wanted = [name for name in plan.scaling.names if name.startswith(f"{table}:")]
            held = {f"{table}:{name}" for name in facts.get(f"features:{table}", ())}
            lacking = [name for name in wanted if name not in held]
            if lacking:
                return (
                    f"its table {table} lacks {len(lacking)} of the {len(wanted)} features that "
                    f"the model reads, such as {lacking[0].partition(':')[2]}"
                )
    return None
