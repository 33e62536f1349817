"""The result of a run: every figure with its uncertainty, and what was not measured."""

import hashlib
import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from fusion import __version__
from fusion.config import RunConfig, flatten
from fusion.modalities import SLIDES
from fusion.models.cost import count_macs
from fusion.models.entries import MODELS
from fusion.training.checkpoint import save_arrays
from fusion.training.heads import head_names, head_of
from fusion.training.plan import Plan
from fusion.types import Bags, Batch
from server.alerts import find_alerts
from server.attendance import events
from server.budgets import NO_ATTACK, tell_privacy
from server.closing import Reference, Test
from server.counts import counts_of, totals
from server.evaluation import evaluate
from server.inbox import Failure
from server.members import Member
from server.opening import Agreement
from server.outgoing import Outgoing
from server.progress import Progress
from server.rounds import Company
from server.scores import Score, Scored, add_up
from server.suppression import KEPT

MODEL_FILE = "model.safetensors"
SCHEMA_VERSION = 1

ADDED_UP = (
    "Figures of single sites: with secure aggregation the coordinator learns sums over three sites "
    "or more only, so counts, concordance and interaction of one site are not known here."
)
"""What a run with secure aggregation leaves open."""


@dataclass(frozen=True, eq=False)
class Story:
    """Everything a run leaves behind.

    Source: own.
    """

    company: Company
    agreement: Agreement
    progress: Progress
    reference: Reference
    examined: Test
    absent: Sequence[Failure]


def tell(story: Story, *, seconds: float) -> dict[str, Any]:
    """Write the model file and return the result.

    Args:
        story: What the run left.
        seconds: How long it took.

    Returns:
        The result, as `result.schema.json` describes it.

    Source: own.
    """
    config, progress = story.company.config, story.progress
    score = add_up(story.examined.answers, story.reference.yardstick)
    flat = told(config)
    audit = story.examined.audit.document(config, split="test", number=progress.best_round)
    left = Outgoing.of(story.company.inbox, story.agreement.released, story.agreement.noised)
    return {
        "schema_version": SCHEMA_VERSION,
        "timings": {
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "total_seconds": seconds,
            "rounds_seconds": list(progress.seconds),
            "resumed_after": list(progress.resumed),
        },
        "config": flat,
        "config_hash": hashlib.sha256(json.dumps(flat, sort_keys=True).encode()).hexdigest(),
        "versions": versions(),
        "model": _model(story),
        "inputs": _inputs(story.agreement, config),
        "sites": [_site(member, progress, config) for member in story.company.members],
        **totals(story.company.members, story.company.census, config.data),
        "rounds": list(progress.records),
        "events": events(progress.records),
        "evaluation": evaluate(score, story.reference, config),
        "audit": audit,
        "alerts": find_alerts(progress.records, audit, config.alerts),
        "privacy": tell_privacy(progress.records, left, config),
        "not_measured": _not_measured(story, score),
    }


def told(config: RunConfig) -> dict[str, Any]:
    """Return the settings that shape a result; paths and resuming do not.

    Source: own.
    """
    left_out = ("out", "resume", "sites", "audit.model-file")
    return {k: v for k, v in flatten(config).items() if k not in left_out}


def versions() -> dict[str, str]:
    """Return what computed a result.

    Source: own.
    """
    packages = ("torch", "flwr", "numpy")
    known = {name: version(name) for name in packages}
    return {"concord": __version__, "python": platform.python_version()} | known


def _model(story: Story) -> dict[str, Any]:
    """Write the model file with all that applying it needs, and describe it."""
    config, plan = story.company.config, story.company.plan
    network, entry = story.reference.network, MODELS[config.model.name]
    baseline = story.reference.baseline
    card = {
        "config": told(config),
        "plan": plan.to_text(),
        "round": story.progress.best_round,
        "sites": [member.name for member in story.company.members],
        "data": {member.name: member.fingerprint for member in story.company.members},
    }
    if baseline is not None:
        hazard = baseline.cumulative_hazard.tolist()
        card["baseline"] = {"times": baseline.times.tolist(), "cumulative_hazard": hazard}
    if config.audit.background == "embedding-mean":
        means = story.reference.background.items()
        card["background"] = {name: mean.tolist() for name, mean in means}
    own = head_names(network, config)
    card |= {"local": sorted(own)} if own else {}
    file_hash = save_arrays(Path(config.out) / MODEL_FILE, story.progress.best, card)
    return {
        "name": config.model.name,
        "title": entry.title,
        "paper": entry.paper,
        "modalities": list(plan.modalities),
        "parameters": sum(p.numel() for p in network.model.parameters()),
        "local_parameters": sum(value.size for value in head_of(network, own).values()),
        "macs_per_patient": count_macs(network.model, _one_patient(plan, config.data.max_patches)),
        "objective": config.objective.name,
        "couples_patients": network.couples_patients,
        "chosen_round": story.progress.best_round,
        "chosen_on": "validation" if story.progress.best_score is not None else "nothing",
        "rounds": config.rounds,
        "file": MODEL_FILE,
        "sha256": file_hash,
    }


def _one_patient(plan: Plan, patches: int) -> Batch:
    """Return a patient with `patches` patches, to count operations on."""
    inputs: dict[str, Any] = {}
    for modality, width in plan.widths.items():
        vector = torch.zeros(1, width)
        if modality == SLIDES:
            mask = torch.ones(1, patches, dtype=torch.bool)
            inputs[modality] = Bags(torch.zeros(1, patches, width), mask)
        else:
            inputs[modality] = vector
    return Batch(inputs, {name: torch.ones(1, dtype=torch.bool) for name in inputs})


def _inputs(agreement: Agreement, config: RunConfig) -> dict[str, Any]:
    plan = agreement.plan
    return {
        "encoder": plan.encoder or None,
        "feature_width": plan.feature_width,
        "tables": list(plan.tables),
        "clinical": list(plan.clinical),
        "features_used": len(plan.scaling.names),
        "features_dropped": agreement.dropped,
        "features_hash": agreement.features_hash,
        "clip": config.data.clip,
        "clipped_share": agreement.clipped,
        "scaling": config.data.scaling,
        "components": {
            name: {"number": one.number, "variance_share": one.share}
            for name, one in plan.projections.items()
        },
        "groups": {name: len(own) for name, own in plan.groups.items()},
        "cuts": list(plan.edges[1:-1]),
    }


def _site(member: Member, progress: Progress, config: RunConfig) -> dict[str, Any]:
    answered = sum(member.name in record["answered"] for record in progress.records)
    return {
        "name": member.name,
        "role": member.role,
        **counts_of(member, config.data),
        "rounds_answered": answered,
        "data_hash": member.facts["data-hash"],
        "disclosure": member.disclosure,
    }


def _not_audited(story: Story) -> list[str]:
    if len(story.company.plan.modalities) < 2:
        return ["Interaction of modalities: the model reads one modality only."]
    return story.examined.audit.not_measured()


def _not_measured(story: Story, score: Scored) -> list[str]:
    """Return what a reader might take for granted and was not done."""
    config = story.company.config
    sentences = [
        "Performance on hospitals outside this federation."
        if not any(m.role == "evaluate-only" for m in story.company.members)
        else "Performance on hospitals other than those held out here.",
        "Spread over random splits and seeds: this is one split and one seed "
        f"({config.seed}); intervals cover the choice of test patients only.",
        NO_ATTACK,
        "Benefit to patients: ranking and calibration are not a clinical trial.",
    ]
    if config.privacy.secure_aggregation:
        sentences.append(ADDED_UP)
    sentences += _not_audited(story)
    sentences += [f"Site {f.site}: {f.reason}." for f in story.absent]
    sentences += [f"Test figures of site {f.site}: {f.reason}." for f in story.examined.failures]
    if config.federation.personal != "none":
        sentences.append(
            "A common model: each site was examined with a head of its own, so pooled figures "
            "compare risks of different heads, and a hospital without one gets no risk."
        )
    return [*sentences, *_left_out(score)]


def _left_out(score: Scored) -> list[str]:
    """Return sentences on the sites whose figures are kept back, or are not to be read."""
    figure, few = ("auc", "AUC of sites with too few patients of a class")
    if isinstance(score, Score):
        figure, few = "concordance", "Concordance of sites with too few events"
    kept = {s["name"]: s[figure]["reason"] for s in score.sites if s["note"] == KEPT}
    weak = [s["name"] for s in score.sites if s["note"] and s["patients"]]
    weak = [name for name in weak if name not in kept]
    told = [f"Figures of site {name} alone: {reason}." for name, reason in kept.items()]
    return told + [f"{few}: {', '.join(weak)}."] * bool(weak)
