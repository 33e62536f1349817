"""Hospitals that do not exist, with an interaction of slides and genes that is known."""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from fusion.errors import ConfigError
from fusion.seeding import generator
from simulations.folders import whole_folder

NAMES = ("lyon", "bergen", "porto", "graz", "leuven", "tartu")
"""Names of the hospitals, in order; more are numbered."""

WIDTH = 24
"""Numbers a patch."""

GENES = 40
"""Genes in the rna table; the first eight carry the signal."""

ENCODER = "synthetic-24"
"""Name of the patch encoder that never was."""

_CARRIERS = 8
_YEAR = 365.25


@dataclass(frozen=True)
class _Effects:
    slides: float
    omics: float
    interaction: float


def make_hospitals(
    out: Path, *, sites: int = 3, patients: int = 90, seed: int = 1, interaction: float = 1.0
) -> list[Path]:
    """Write synthetic site folders whose log hazard is .8 s + .8 g + interaction * s * g.

    s is hidden in the patches, g in the genes; both are standard normal. Survival is exponential,
    follow-up ends at 1 to 9 years. About one patient in ten lacks slides, another one in ten lacks
    omics; some have several slides.

    Args:
        out: Folder the site folders are written to; must be absent or empty.
        sites: Number of hospitals.
        patients: Patients a hospital.
        seed: Decides everything; equal seeds write equal values.
        interaction: Weight of s * g; 0 = none.

    Returns:
        The site folders; all of them are written, or none.

    Raises:
        ConfigError: A number is out of range, or `out` is not empty.
        OutputError: `out` cannot be written.

    Source: own.
    """
    _check(sites=sites, patients=patients, seed=seed, interaction=interaction)
    effects = _Effects(slides=0.8, omics=0.8, interaction=interaction)
    names = [*NAMES, *(f"hospital-{number}" for number in range(len(NAMES) + 1, sites + 1))]
    with whole_folder(out) as folder:
        for name in names[:sites]:
            _make_hospital(folder / name, patients, seed, effects)
    return [out / name for name in names[:sites]]


def _check(*, sites: int, patients: int, seed: int, interaction: float) -> None:
    wanted = {"sites": (sites, 1), "patients": (patients, 2), "seed": (seed, 0)}
    for name, (value, least) in wanted.items():
        if value < least:
            raise ConfigError(f"--{name} must be >= {least}, got {value}. Raise it.")
    if not np.isfinite(interaction):
        raise ConfigError(f"--interaction must be a finite number, got {interaction}. Mend it.")


def _make_hospital(folder: Path, patients: int, seed: int, effects: _Effects) -> None:
    rng = generator(seed, folder.name, "synthetic")
    signal, genes = rng.normal(size=patients), rng.normal(size=patients)
    clinical = _outcomes(rng, signal, genes, effects)
    clinical.insert(0, "patient", [f"{folder.name}-{number:04d}" for number in range(patients)])
    lacking = rng.permutation(patients)
    tenth = patients // 10
    without_slides, without_omics = lacking[:tenth], lacking[tenth : 2 * tenth]
    (folder / "patch_features").mkdir(parents=True, exist_ok=True)
    slides = _write_bags(folder, rng, signal, set(without_slides.tolist()))
    rows = clinical.loc[[patient for patient, _ in slides]].assign(
        slide=[name for _, name in slides]
    )
    rows.to_csv(folder / "clinical.csv", index=False, lineterminator="\n")
    _write_rna(folder, rng, genes, clinical["patient"], without_omics)
    (folder / "site.toml").write_text(_site_toml(folder.name), encoding="utf-8")


def _outcomes(
    rng: np.random.Generator, signal: np.ndarray, genes: np.ndarray, effects: _Effects
) -> pd.DataFrame:
    log_hazard = (
        effects.slides * signal + effects.omics * genes + effects.interaction * signal * genes
    )
    death = rng.exponential(4 * _YEAR * np.exp(-log_hazard))
    leaving = rng.uniform(1 * _YEAR, 9 * _YEAR, len(signal))
    return pd.DataFrame(
        {
            "time_days": np.maximum(np.ceil(np.minimum(death, leaving)), 1).astype(int),
            "event": (death <= leaving).astype(int),
            "age": rng.integers(30, 85, len(signal)),
        }
    )


def _write_bags(
    folder: Path, rng: np.random.Generator, signal: np.ndarray, without: set[int]
) -> list[tuple[int, str]]:
    """Write one h5 file a slide and return (patient, slide); '' = no slide."""
    direction = generator("synthetic", "direction").normal(size=WIDTH) / np.sqrt(WIDTH)
    shift = 0.2 * rng.normal(size=WIDTH)
    pairs: list[tuple[int, str]] = []
    for patient, strength in enumerate(signal):
        if patient in without:
            pairs.append((patient, ""))
            continue
        for number in range(1 + int(rng.integers(0, 3) == 0)):
            name = f"{folder.name}-{patient:04d}-{number + 1}"
            patches = rng.normal(size=(int(rng.integers(8, 40)), WIDTH)) + shift
            patches += 3.0 * strength * direction
            _write_bag(folder / "patch_features" / f"{name}.h5", patches)
            pairs.append((patient, f"{name}.svs"))
    return pairs


def _write_bag(path: Path, patches: np.ndarray) -> None:
    held = BytesIO()  # h5py may end the process where a write of its own meets a full disk
    with h5py.File(held, "w") as file:
        file.create_dataset("features", data=patches.astype(np.float16), track_times=False)
    path.write_bytes(held.getvalue())


def _write_rna(
    folder: Path,
    rng: np.random.Generator,
    strength: np.ndarray,
    names: pd.Series,
    without: np.ndarray,
) -> None:
    values = rng.normal(size=(len(names), GENES))
    values[:, :_CARRIERS] = 0.8 * strength[:, None] + 0.6 * values[:, :_CARRIERS]
    columns = [f"GENE{number:02d}" for number in range(1, GENES + 1)]
    table = pd.DataFrame(values.astype(np.float32), columns=columns)
    table.insert(0, "patient", names)
    table.drop(index=without).to_parquet(folder / "rna.parquet", index=False)


def _site_toml(name: str) -> str:
    return f"""name = "{name}"
role = "train"

[features]
folder = "patch_features"
encoder = "{ENCODER}"
width = {WIDTH}

[clinical]
file = "clinical.csv"

[omics]
rna = "rna.parquet"
"""
