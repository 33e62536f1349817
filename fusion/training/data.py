"""One site's patients as tensors: scaled vectors in memory, bags read from disk when asked for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Int64
from torch import Tensor

from fusion.modalities import SLIDES
from fusion.readers.bags import BagReader
from fusion.readers.cohort import Cohort
from fusion.readers.omics import align, held_tables, omics_vector
from fusion.seeding import digest, generator
from fusion.training.plan import Plan
from fusion.types import Bags, Batch

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Draw:
    """What a training step's random choices depend on, apart from the patient.

    Source: own.
    """

    seed: int
    site: str
    round: int
    step: int

    def key(self, patient: str) -> int:
        """Return the number that seeds one patient's patches and dropout in this step."""
        return digest(self.seed, self.site, self.round, self.step, patient)


class PatientData:
    """Patients of one site, scaled as the plan says.

    Args:
        cohort: The checked folder.
        plan: What the sites agreed on.
        max_patches: Patches a patient drawn for each training step.
        bags: A reader of the cohort's patches that may hold some already; a new one if None.
        device: Where its tensors live; a network that reads them must be there too.
        ordered: True = bags say in which order their patches lie, where coordinates are known.

    Privacy: holds patient data; nothing here leaves the site.

    Source: own.
    """

    def __init__(
        self,
        cohort: Cohort,
        plan: Plan,
        *,
        max_patches: int,
        bags: BagReader | None = None,
        device: torch.device = CPU,
        ordered: bool = False,
    ) -> None:
        self.ordered = ordered
        self.cohort, self.plan, self.max_patches = cohort, plan, max_patches
        self.device = device
        self.time = torch.tensor(cohort.time, device=device)
        self.event = torch.tensor(cohort.event, device=device)
        self.label = torch.full((len(cohort.patients),), -1, device=device)
        tables = held_tables(cohort, plan.tables)
        vector = align(
            omics_vector(cohort, tables=tables, clinical=plan.clinical), plan.scaling.names
        )
        self.vectors = {
            modality: torch.tensor(values, device=device)
            for modality, values in plan.transform_vectors(vector).items()
        }
        has = {modality: plan.present(vector, modality) for modality in self.vectors}
        has |= {SLIDES: cohort.has_slides}
        self.present: dict[str, Bool[Tensor, " patient"]] = {
            modality: torch.tensor(has[modality], device=device) for modality in plan.modalities
        }
        if SLIDES in plan.modalities:
            self.bags = bags or cohort.bags()
        self._width = plan.widths.get(SLIDES, 0)
        self._nothing = np.zeros((0, plan.feature_width), dtype=np.float32)
        self._padded: dict[tuple[int, ...], Bags] = {}

    def __len__(self) -> int:
        return len(self.cohort.patients)

    def keys(self, rows: Sequence[int], draw: Draw) -> list[int]:
        """Return each patient's seed in one training step."""
        return [draw.key(self.cohort.patients[row]) for row in rows]

    def places(self, rows: Sequence[int]) -> Int64[Tensor, " row"]:
        """Return patients' positions as an index into this object's tensors."""
        return torch.tensor(list(rows), dtype=torch.int64, device=self.device)

    def tell_label(self, label: Int64[np.ndarray, " patient"]) -> None:
        """Keep each patient's class, as its place among the plan's classes; -1 = none."""
        self.label = torch.tensor(label, device=self.device)

    def targets(self, rows: Sequence[int], names: Sequence[str]) -> dict[str, Tensor]:
        """Return what an objective learns from of some patients, by the names it gives them."""
        return {name: getattr(self, name)[self.places(rows)] for name in names}

    def batch(self, rows: Sequence[int], keys: Sequence[int]) -> Batch:
        """Return patients with freshly drawn patches.

        Args:
            rows: Which patients.
            keys: Their seeds in this step; equal seeds draw equal patches.

        Returns:
            Padded bags and vectors.
        """
        picked = self.places(rows)
        inputs: dict[str, Bags | Float[Tensor, "patient feature"]] = {
            modality: values[picked] for modality, values in self.vectors.items()
        }
        if SLIDES in self.plan.modalities:
            inputs[SLIDES] = self._slides(tuple(rows), keys)
        present = {modality: mask[picked] for modality, mask in self.present.items()}
        return Batch({m: inputs[m] for m in self.plan.modalities}, present)

    def chunks(self, row: int, size: int) -> Iterator[Float[np.ndarray, "patch feature"]]:
        """Yield all of one patient's patches, unscaled, at most `size` at once."""
        yield from self.bags.chunks(row, size)

    def whole(self, row: int, size: int) -> Iterator[Bags]:
        """Yield all of one patient's patches as bags of at most `size`; an empty one if none."""
        start = 0
        for patches in self.chunks(row, size) if self.bags.patches(row) else [self._nothing]:
            stop = start + len(patches)
            yield self._placed(self.pad([patches]), [row], [np.arange(start, stop)])
            start = stop

    def pad(self, bags: Sequence[Float[np.ndarray, "_ feature"]]) -> Bags:
        """Return bags scaled as the plan says and padded with zeros to the longest one.

        Args:
            bags: Unscaled patches of each patient; a patient without slides has none.

        Returns:
            At least one (masked) patch a patient.
        """
        sizes = np.array([len(bag) for bag in bags])
        longest = max(1, int(sizes.max(initial=0)))
        mask = np.arange(longest)[None, :] < sizes[:, None]
        # torch's memory starts at fixed boundaries, on which the order of its sums can depend
        features = torch.zeros((len(bags), longest, self._width), dtype=torch.float32)
        filled = features.numpy()
        for place, bag in enumerate(bags):
            filled[place, : len(bag)] = self.plan.transform_patches(bag)
        return Bags(features.to(self.device), torch.as_tensor(mask, device=self.device))

    def _slides(self, rows: tuple[int, ...], keys: Sequence[int]) -> Bags:
        """Return the drawn bags; a batch whose bags all fit whole is the same in every step."""
        if rows in self._padded:
            return self._padded[rows]
        drawn = [self._draw(row, key) for row, key in zip(rows, keys, strict=True)]
        read = [self._read(row, own) for row, own in zip(rows, drawn, strict=True)]
        bags = self._placed(self.pad(read), rows, drawn)
        whole = all(self.bags.patches(row) <= self.max_patches for row in rows)
        if whole and self.bags.room.take(bags.features.nbytes):
            self._padded[rows] = bags
        return bags

    def _draw(self, row: int, key: int) -> Int[np.ndarray, " row"]:
        """Return which patches a step reads; a bag that is not too large is read whole."""
        return self.bags.draw(row, self.max_patches, generator(key, "patches"))

    def _read(self, row: int, drawn: Int[np.ndarray, " row"]) -> Float[np.ndarray, "patch feature"]:
        return self.bags.read(row, drawn) if len(drawn) else self._nothing

    def _placed(self, bags: Bags, rows: Sequence[int], picked: Sequence[np.ndarray]) -> Bags:
        """Return the bags with the places of their patches, if the model reads them."""
        if not self.ordered:
            return bags
        ranks = np.full(bags.mask.shape, -1)
        for number, (row, own) in enumerate(zip(rows, picked, strict=True)):
            ranks[number, : len(own)] = self.bags.ranks(row)[own]
        return replace(bags, rank=torch.as_tensor(ranks, device=self.device))
