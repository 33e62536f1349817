"""The interaction audit of a site's patients one by one; the table stays at the site."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from client.audit import donors, embedding_means, patient_values
from client.opened import OpenedModel, open_finished, read_patients
from client.settings import STATE
from client.site import Site, read_site, split_key
from fusion.config import RunConfig
from fusion.errors import SiteError
from fusion.interaction.background import zero_background
from fusion.interaction.quantities import coalition_names, pair_names
from fusion.interaction.shares import (
    dividends,
    interaction_matrix,
    local_shares,
    moebius_shares,
    normalised,
    published_shares,
    signed_parts,
)
from fusion.masking import EMBEDDING_MEAN, INPUT_MEAN, MARGINAL, ZERO
from fusion.new_files import write_new
from fusion.readers.findings import counted
from fusion.training.evaluation import embed_mean_input
from fusion.training.finished import FinishedModel, read_finished

WHAT = "Patients' shares"


@dataclass(frozen=True, eq=False)
class PatientShares:
    """The audit of each patient of a site who has every modality.

    Attributes:
        table: One row a patient, see `audit_patients`.
        background: What stood for a hidden modality, in words.
        excluded: Patients left out because they lack a modality.
        warnings: What to know before using them.

    Privacy: one row a patient; never leaves the site.

    Source: own.
    """

    table: pd.DataFrame
    background: str
    excluded: int
    warnings: tuple[str, ...]

    def told(self) -> dict[str, Any]:
        """Return what may be shown of it: how many, under which background, warnings."""
        return {
            "patients": len(self.table),
            "excluded": self.excluded,
            "background": self.background,
            "warnings": list(self.warnings),
        }

    def write(self, path: Path) -> None:
        """Write the table as csv to a new file that only its owner can read.

        Raises:
            ConfigError: The file exists.
        """
        text = self.table.to_csv(index=False, lineterminator="\n")
        write_new({path: text.encode()}, secret=[path], what=WHAT)


def audit_patients(
    folder: Path, model: Path, *, background: str | None = None, state: Path | None = None
) -> PatientShares:
    """Return the interaction audit of each patient of a site who has every modality.

    Outcomes are read only where the site must find its own training patients: with `marginal`,
    and with `embedding-mean` if the model file holds no mean.

    Args:
        folder: The site's folder.
        model: `model.safetensors` of a run.
        background: A word of `audit.background`; None = that of the run.
        state: Where the site keeps its own heads; None = `.concord` in its folder.

    Returns:
        The table: `patient`; `local_*`, `published_*`, `moebius_*` (shares: interaction, then one
        a modality); `synergy`, `redundancy` (their parts of the local interaction share);
        `phi(a)`, `phi(a+b)` (entries of the InterSHAP matrix), `m(...)` (dividends) and `v(...)`
        (the model's log-hazard with those modalities visible), all three in log-hazard. `ratio`,
        `global` and `variance` are figures of a cohort, not of a patient.

    Raises:
        ModelFileError: The file is not a model of this version, or lacks this site's own head.
        SiteError: The folder cannot be used, or has no training patients where some are needed.
        FederationError: The model reads one modality.

    Privacy: reads patient data; nothing is sent.

    Source: own; definitions in `fusion.interaction.shares`.
    """
    finished = read_finished(model)
    kind = background or finished.run.audit.background
    own = kind == MARGINAL or (kind == EMBEDDING_MEAN and not finished.background)
    site = _own_site(folder, finished.run, state or folder / STATE) if own else None
    cohort = site.cohort if site else read_patients(folder)
    opened = open_finished(finished, cohort, folder, state=state)
    hidden, words = (
        _own_background(kind, finished, opened, site)
        if site
        else _shared_background(kind, finished, opened)
    )
    rows = range(len(cohort.patients))
    values, audited = patient_values(opened.network.model, opened.data, rows, hidden)
    table = _table(values, opened.network.model.modalities)
    table.insert(0, "patient", [cohort.patients[row] for row in audited])
    excluded = len(rows) - len(audited)
    lacking = (f"{told}: left out" for told in opened.lacking)
    return PatientShares(table, words, excluded, (*opened.warnings, *lacking))


def _own_site(folder: Path, run: RunConfig, state: Path) -> Site:
    """Return the site with the splits that it had in the run."""
    return read_site(folder, run, key=split_key(run, state))


def _shared_background(
    kind: str, finished: FinishedModel, opened: OpenedModel
) -> tuple[dict[str, Tensor], str]:
    """Return a background that is the same at every site, and what it is in words."""
    model = opened.network.model
    if kind == ZERO:
        return zero_background(model.shapes), "zero embeddings"
    if kind == INPUT_MEAN:
        means = embed_mean_input(model, opened.data.plan.widths)
        return means, "embedding of the federation's mean input"
    held = {name: torch.tensor(mean) for name, mean in finished.background.items()}
    return held, "mean embedding of the federation's training patients, from the model file"


def _own_background(
    kind: str, finished: FinishedModel, opened: OpenedModel, site: Site
) -> tuple[dict[str, Tensor], str]:
    """Return a background from the site's own training patients, and what it is in words."""
    model, training, run = opened.network.model, site.rows("train"), finished.run
    found: dict[str, Tensor] = {}
    if kind == MARGINAL:
        number = run.audit.donors
        found = donors(model, opened.data, training, number=number, seed=run.seed)
    elif training:
        found = embedding_means(model, opened.data, training).mean()
    if not found:
        raise SiteError(
            f"Background '{kind}' must come from two or more training patients of this site, got "
            f"{len(training)} at site '{site.cohort.name}'. Choose --background {INPUT_MEAN} or "
            f"{ZERO}.",
            public="The site has no training patients to make a background of.",
        )
    alone = "this site's own training patients, not comparable with another site's shares"
    if kind == MARGINAL:
        some = counted(len(next(iter(found.values()))), "donor")
        return found, f"{some} among {alone}"
    return found, f"mean embedding of {alone}"


def _table(values: np.ndarray, modalities: tuple[str, ...]) -> pd.DataFrame:
    coalitions, pairs = coalition_names(modalities), pair_names(modalities)
    shares = {
        "local": local_shares(values),
        "published": published_shares(values),
        "moebius": moebius_shares(values),
    }
    columns = {
        f"{share}_{part}": fractions
        for share, table in shares.items()
        for part, fractions in zip(("interaction", *modalities), table.T, strict=True)
    }
    signs = normalised(signed_parts(values))[:, :2].T
    columns |= dict(zip(("synergy", "redundancy"), signs, strict=True))
    matrix = interaction_matrix(values)
    i, j = np.triu_indices(len(modalities), k=1)
    own = np.diagonal(matrix, axis1=1, axis2=2).T
    columns |= {f"phi({name})": entry for name, entry in zip(modalities, own, strict=True)}
    columns |= {f"phi({name})": e for name, e in zip(pairs, matrix[:, i, j].T, strict=True)}
    whole = zip(coalitions, dividends(values)[:, 1:].T, strict=True)
    columns |= {f"m({name})": dividend for name, dividend in whole}
    seen = zip(("", *coalitions), values.T, strict=True)
    return pd.DataFrame(columns | {f"v({name})": column for name, column in seen})
