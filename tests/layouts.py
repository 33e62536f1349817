"""Folders of slide features as the tools write them: tiny, and with the traps of the real ones."""

from collections.abc import Callable, Mapping
from pathlib import Path

import h5py
import numpy as np
import torch

SECRET = "/mnt/clinic/oncology/jane.doe"
"""A path that TRIDENT writes into its attributes."""


def places(number: int, step: int = 512) -> np.ndarray:
    """Corners of patches on a grid, three a row."""
    return np.array([[step * (i % 3), step * (i // 3)] for i in range(number)])


def write_hipt(folder: Path, slides: Mapping[str, np.ndarray]) -> Path:
    for name, values in slides.items():
        _h5(folder / f"{name}.h5", features=values)
    return folder


def write_clam_pt(folder: Path, slides: Mapping[str, np.ndarray]) -> Path:
    (folder / "pt_files").mkdir(parents=True)
    for name, values in slides.items():
        torch.save(torch.from_numpy(values.copy()), folder / "pt_files" / f"{name}.pt")
    return folder


def write_clam_h5(folder: Path, slides: Mapping[str, np.ndarray]) -> Path:
    for name, values in slides.items():
        file = _h5(folder / "h5_files" / f"{name}.h5", features=values, coords=places(len(values)))
        with h5py.File(file, "a") as opened:
            opened["coords"].attrs.update(
                patch_size=256, patch_level=0, name=name, save_path=SECRET
            )
    return folder


def write_trident(folder: Path, slides: Mapping[str, np.ndarray]) -> Path:
    for name, values in slides.items():
        file = _h5(folder / f"{name}.h5", features=values[None], coords=places(len(values)))
        with h5py.File(file, "a") as opened:
            opened["features"].attrs.update(name=name, savetodir=SECRET, encoder="uni_v1")
            opened["coords"].attrs.update(
                patch_size=256, patch_size_level0=512, level0_magnification=40,
                target_magnification=20, overlap=0, name=name, savetodir=SECRET,
                level0_width=4096, level0_height=4096,
            )  # fmt: skip
    return folder


def write_trident_slides(folder: Path, slides: Mapping[str, np.ndarray]) -> Path:
    """One vector a slide, beside the coordinates of all its patches."""
    for name, values in slides.items():
        file = _h5(folder / f"{name}.h5", features=values.mean(axis=0), coords=places(len(values)))
        with h5py.File(file, "a") as opened:
            opened["features"].attrs.update(name=name, savetodir=SECRET)
            opened["coords"].attrs.update(patch_size_level0=512, savetodir=SECRET)
    return folder


def write_stamp(folder: Path, slides: Mapping[str, np.ndarray]) -> Path:
    for name, values in slides.items():
        file = _h5(folder / f"{name}.h5", feats=values, coords=256.0 * places(len(values), 1))
        with h5py.File(file, "a") as opened:
            opened.attrs.update(
                stamp_version="2.3.0", extractor="uni", unit="um", tile_size_um=256.0,
                tile_size_px=224, code_hash="0" * 64, feat_type="tile",
            )  # fmt: skip
    return folder


def _h5(path: Path, **datasets: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, values in datasets.items():
            file.create_dataset(name, data=values)
    return path


WRITERS: Mapping[str, Callable[[Path, Mapping[str, np.ndarray]], Path]] = {
    "hipt": write_hipt,
    "clam-pt": write_clam_pt,
    "clam-h5": write_clam_h5,
    "trident": write_trident,
    "stamp": write_stamp,
}
"""Formats that keep every patch, a file a slide."""
