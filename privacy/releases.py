"""The closed list of what may cross from a site to the coordinator, and its gate."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from privacy.errors import PrivacyError


@dataclass(frozen=True)
class Release:
    """One thing that may leave a site.

    Attributes:
        kind: `model` (weights), `sums` (mergeable sums over patients), `figure` (one number for
            one site), `fact` (about the folder or the run, not about a patient) or `masked`.
        says: What it is, for a privacy officer.

    Source: own.
    """

    kind: Literal["model", "sums", "figure", "fact", "masked"]
    says: str


RELEASES: Mapping[str, Release] = {
    "site": Release("fact", "Name of the site."),
    "role": Release("fact", "Whether the site trains or only evaluates."),
    "trains": Release("fact", "Whether it has training patients, two or more."),
    "encoder": Release("fact", "Name of the slide feature encoder."),
    "feature-width": Release("fact", "Features of a patch."),
    "tables": Release("fact", "Names of the omics tables."),
    "features": Release("fact", "Names of genes and clinical columns."),
    "data-hash": Release("fact", "Hash of the tables, and of the bags' names, sizes and samples."),
    "patients": Release("sums", "Patients in each split."),
    "events": Release("sums", "Events in each split."),
    "missing": Release("sums", "Patients who lack a modality."),
    "outcome-histogram": Release("sums", "Training patients by time bin (>= 30 days) and event."),
    "classes": Release(
        "fact", "Names of the classes asked for, or, if none were named, of those at the site."
    ),
    "labels": Release("sums", "Patients of each class of the label in each split."),
    "unlabelled": Release("sums", "Patients without the label, who take no part."),
    "scaling.omics": Release("sums", "Count, sum and sum of squares of each clipped input."),
    "scaling.slides": Release("sums", "The same of training patients' mean patches."),
    "scaling.clipped": Release("sums", "Number of values cut by the clip, and of all values."),
    "components": Release(
        "sums", "Products of each two standardised columns of a table, with sums."
    ),
    "model": Release("model", "Weights after local training."),
    "control": Release("model", "Mean gradient of the round, SCAFFOLD's control variate."),
    "num-examples": Release("sums", "Weight of the update: training patients or events."),
    "steps": Release("fact", "Optimiser steps taken, the same whoever the patients are."),
    "train-loss": Release("figure", "Mean training loss of the round."),
    "risk-set": Release(
        "sums",
        "Training patients, events and mean hazard at the end of follow-up, by time bin, bins "
        "merged until each holds two patients, with a policy its minimum-cell; other sites get "
        "what is summed over the rest.",
    ),
    "loss": Release("sums", "Sum of the losses, and patients behind it."),
    "class-counts": Release(
        "sums",
        "Patients by true and predicted class, and, for each class, by bin of its log odds and "
        "whether they are of it.",
    ),
    "outcome-counts": Release("sums", "Patients by time bin, event and risk bin."),
    "risk-moments": Release(
        "sums", "Number, sum and sum of squares of the risks, or of the log odds of classes."
    ),
    "concordance": Release("figure", "The site's own concordance: pairs, value, standard error."),
    "uno": Release("figure", "The site's own concordance after Uno, likewise."),
    "brier": Release("sums", "Number, sum and sum of squares of integrated Brier contributions."),
    "baseline": Release("sums", "Events and hazard at risk in each time bin."),
    "embedding-means": Release(
        "sums", "Sum of each modality's embedding (of patches: their mean), and patients behind it."
    ),
    "audit": Release("sums", "Sums and cross-products of interaction figures, and pair counts."),
    "audit-replicates": Release(
        "sums",
        "The audit's sums, repeated with random whole-number weights on the patients: many exact "
        "sums over few patients. The weights stay at the site, and a hospital sends the sums only "
        "if it audits more patients than there are repeats; nothing formal bounds what they tell.",
    ),
    "not-resampled": Release("fact", "Why the site sent no replicates of its audit."),
    "budget": Release("fact", "What policy and ledger say: epsilon spent and left, noise, steps."),
    "disclosure": Release(
        "fact", "Fewest patients, events and patients in a cell that the site shows; its rounding."
    ),
    "suppressed": Release("fact", "Which figures of its own the site keeps: over too few."),
    "scores": Release(
        "sums",
        "With noise only: number, losses, risks and Brier contributions of the patients behind "
        "`outcome-counts` or `baseline`, each cut to a public range.",
    ),
    "noise": Release("fact", "Standard deviation of the noise on a sum; follows from the policy."),
    "noised-releases": Release("fact", "Which sums left with noise, and were charged."),
    "withheld": Release("fact", "Which sums with noise the ledger did not let out, and why."),
    "exact-releases": Release("fact", "Which sums without noise the site's policy lets out."),
    "donors": Release("figure", "Training patients who stood in for hidden modalities."),
    "not-audited": Release("fact", "Why the site sent no audit."),
    "within": Release(
        "sums", "Rightly ordered and comparable pairs within the site, and their squared error."
    ),
    "masked": Release("masked", "The site's part of a secure sum, under masks."),
    "secure": Release(
        "fact", "Public keys, sealed shares and names of a secure sum, all made by chance."
    ),
}
"""Name of a release to what it is. A name with a suffix after ':' belongs to its stem."""

EXACT: Mapping[str, str] = {
    "counts": "patients of each split, by event and time or by class, and who lacks what",
    "scaling": "sums and squares of the inputs of training patients",
    "components": "products of the columns of training patients",
    "train-loss": "mean loss of training patients",
    "validation": "figures of each round's model on validation patients",
    "reference": "baseline hazard, risks and mean embeddings of training patients",
    "test": "figures of the chosen model on test patients",
    "audit": "interaction sums of the patients of a split",
}
"""Sums without noise that a policy may let out of a private run, outside of its promise."""

NUMBERS = ("steps", "budget", "noise")
"""Facts that are numbers, and so travel among the figures."""

NOISED: Mapping[str, str] = {
    "counts": "patients and events of each split, who lacks what, and training outcomes by time",
    "scaling": "number, sums and squares of the inputs of training patients",
    "validation": "validation patients by time, event and risk, with losses, round by round",
    "reference": "training patients' events and hazards by time, with mean and spread of risks",
    "background": "mean embeddings of training patients, which stand for a hidden modality",
    "test": "test patients by time, event and risk, with losses and Brier contributions",
    "audit": "shares of each modality and of interaction, summed over the patients of a split",
}
"""Sums that a policy may let out with noise, inside the promise: each is ONE noisy vector.

Not among them, because no useful bound holds under one patient more or less: products of columns
(`components`: a patient's row times itself), exact pair counts (a patient is in a pair with each
other one; pairs come from the noised histogram instead), the loss of every training step, audits
on other scales and their replicates.
"""


def leaves(name: str) -> Literal["summed", "per-site", "clear"]:
    """Return how a release leaves a site of a run with secure aggregation.

    Args:
        name: On the list; `stem:suffix` counts as `stem`.

    Returns:
        `summed`: only inside a sum over three sites or more. `per-site`: not at all, as it is a
        figure of one site's patients. `clear`: as it is, for it says nothing of a patient.

    Raises:
        PrivacyError: The name is not on the list.

    Source: own.
    """
    check_releases([name])
    kind = RELEASES[name.partition(":")[0]].kind
    if kind in ("model", "sums"):
        return "summed"
    return "per-site" if kind == "figure" else "clear"


def check_releases(names: Iterable[str]) -> None:
    """Raise unless every name is on the list.

    Args:
        names: What a reply is about to carry; `stem:suffix` counts as `stem`.

    Raises:
        PrivacyError: Names the first one that is not on the list.

    Privacy: the last gate before the wire; the reply is not sent.

    Source: own.
    """
    for name in names:
        if name.partition(":")[0] not in RELEASES:
            raise PrivacyError(
                f"Release must be on the list in privacy/releases.py, got '{name}'. "
                "Nothing was sent. Add it there with a reason, or do not send it."
            )


LARGEST = 2**30
"""Bytes of one message, either way; a model of 100 million parameters fits."""


def check_size(number: int) -> None:
    """Raise if a message has more bytes than one may.

    Raises:
        PrivacyError: It has.

    Source: own.
    """
    if number > LARGEST:
        raise PrivacyError(
            f"A message must have at most {LARGEST:,} bytes, got {number:,}. Make the model, or "
            "what is asked, smaller."
        )
