"""The sums that a site releases with noise: what each patient adds, part by part."""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor

from client.audit import AUDIT, audit_values, embeddings_of
from client.charging import release
from client.private_training import request_of
from client.replies import Answer
from client.task import Task
from fusion.interaction.noised import NOISED, bounded_shares
from fusion.interaction.quantities import blocks
from fusion.interaction.tallies import AuditTally, audit_tally
from fusion.survival.baseline import LIMIT
from fusion.survival.bins import TimeGrid
from fusion.training.checkpoint import digest_arrays
from fusion.training.evaluation import Pooled
from fusion.training.examination import examine_each, refer_each
from privacy.mechanisms import Cells, Contributions, Noise, NoisySum, Vectors, noisy_sums


def examined(task: Task, name: str, rows: Sequence[int], pooled: Pooled) -> Answer:
    """Return the noised histogram and scores of some patients, `validation` or `test`.

    Two parts: the patient's one cell, and the row of bounded scores.

    Args:
        task: The request made ready.
        name: Of `privacy.releases.NOISED`.
        rows: The patients of the split, a lone one too.
        pooled: The same, read.

    Privacy: sensitivity sqrt(2) (L2) or 2 (L1) before the multiplier; see `noisy_sums`.

    Source: own.
    """

    def make(noise: Noise) -> Answer:
        cells, scores = examine_each(task.network, task.data, rows, task.yardstick, pooled)
        times, risks = task.yardstick.time_grid.count + 1, task.yardstick.risk_grid.count
        parts: dict[str, Contributions] = {
            "outcome-counts": Cells(cells, times * 2 * risks),
            "scores": Vectors(scores, noise.sensitivity(scores.shape[1])),
        }
        return _answer(noisy_sums(parts, noise), {"outcome-counts": (times, 2, risks)})

    return release(request_of(task, _content(task, name)), name, make)


def referred(task: Task, rows: Sequence[int], pooled: Pooled) -> Answer:
    """Return the noised sums behind baseline hazard and risk bins, over training patients.

    Privacy: two parts, the row of events and hazards and the row of scores, each cut to its range.

    Source: own.
    """
    grid = TimeGrid(task.run.evaluation.time_step, task.run.evaluation.time_bins)

    def make(noise: Noise) -> Answer:
        hazards, scores = refer_each(task.network, task.data, rows, grid, pooled)
        parts = {
            "baseline": Vectors(hazards, noise.sensitivity(2)),
            "scores": Vectors(scores, noise.sensitivity(scores.shape[1])),
        }
        return _answer(noisy_sums(parts, noise), {"baseline": (3, grid.count)})

    return release(request_of(task, _content(task, "reference")), "reference", make)


def background(task: Task, pooled: Pooled) -> Answer:
    """Return the noised sums behind the mean embedding, over training patients.

    Two parts a modality: whether the patient has it, and the embedding, cut to the length that it
    has if its numbers are 1 in size (L2 and Gaussian noise; to their number, L1 and Laplace).

    Source: own.
    """
    names = task.network.model.modalities

    def make(noise: Noise) -> Answer:
        tokens, present = embeddings_of(task.network.model, pooled)
        parts: dict[str, Contributions] = {}
        for name in names:
            held = present[name].cpu().numpy().astype(np.float64)[:, None]
            flat = tokens[name].flatten(1).double().cpu().numpy()
            parts |= {f"has {name}": Vectors(held, 1.0)}
            parts |= {name: Vectors(flat * held, noise.sensitivity(flat.shape[1]))}
        found = noisy_sums(parts, noise)
        order = [*(f"has {name}" for name in names), *names]
        values = np.concatenate([found[part].values for part in order])
        return Answer(
            sums={"embedding-means": values},
            figures={"noise:embedding-means": noise.deviation(len(parts))},
        )

    return release(request_of(task, _content(task, "background")), "background", make)


def audited(
    task: Task, rows: Sequence[int], pooled: Pooled, hidden: Mapping[str, Tensor]
) -> Answer:
    """Return the noised audit: numbers of patients, and their fractions.

    A patient with every modality adds 1 and the parts of `bounded_shares`; any other adds 1 to
    the excluded: never both, so the two numbers are one part.

    Args:
        task: The request made ready.
        rows: The patients of the split, a lone one too.
        pooled: The same, read.
        hidden: What stands for a hidden modality; it must not follow from these patients but
            under noise.

    Source: own.
    """
    names = task.network.model.modalities

    def make(noise: Noise) -> Answer:
        # an error would tell that a patient is there for whom a crafted model overflows
        values, complete = audit_values(task.network.model, pooled, hidden, limit=LIMIT)
        number = np.zeros((len(rows), 2))
        number[np.arange(len(rows)), np.where(complete, 0, 1)] = 1.0
        shares = bounded_shares(values, len(names))
        parts: dict[str, Contributions] = {"number": Vectors(number, 1.0)}
        parts |= {name: Vectors(columns, 1.0) for name, columns in shares.items()}
        found = noisy_sums(parts, noise)
        return Answer(
            sums={AUDIT: _tally(found, names).to_array()},
            figures={f"noise:{AUDIT}": noise.deviation(len(parts))},
        )

    arrays = {name: value.numpy() for name, value in hidden.items()}
    content = _content(task, AUDIT, digest_arrays(arrays))
    return release(request_of(task, content), AUDIT, make)


def _tally(found: Mapping[str, NoisySum], names: tuple[str, ...]) -> AuditTally:
    """Return noised sums in the places they have in a tally; everything else is 0."""
    none = np.zeros(0)
    empty = audit_tally(
        np.zeros((0, 1 << len(names))), modalities=names, time=none, event=none.astype(bool)
    )
    places, sums = blocks(len(names)), empty.sums.copy()
    signs = np.concatenate([found["halves"].values, found["flags"].values])
    for block in NOISED:
        sums[places[block]] = signs if block == "signs" else found[block].values
    count, excluded = found["number"].values.tolist()
    return AuditTally(
        names, count, excluded, 0.0, 0.0, 0.0, sums, empty.cross, empty.concordant, empty.variance
    )


def _answer(found: Mapping[str, NoisySum], shapes: Mapping[str, tuple[int, ...]]) -> Answer:
    """Return noised sums under their names on the wire, with the noise as a public figure."""
    return Answer(
        sums={n: one.values.reshape(shapes.get(n, (-1,))) for n, one in found.items()},
        figures={f"noise:{name}": one.deviation for name, one in found.items()},
    )


def _content(task: Task, *more: str) -> str:
    """Return the hash of all that an answer follows from beside the site's patients."""
    words = {name: task.words[name] for name in sorted(task.words) if name not in ("run", "round")}
    told = [digest_arrays(task.shared), repr(words), *more]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()
