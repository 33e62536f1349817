"""Folders of slide features as the tools write them: tiny, and with the traps of the real ones."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
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


def write_npy(folder: Path, slides: Mapping[str, np.ndarray]) -> Path:
    """One vector a slide, without its patches."""
    folder.mkdir(parents=True)
    for name, values in slides.items():
        np.save(folder / f"{name}.npy", values.mean(axis=0))
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


def write_parquet(path: Path, slides: Mapping[str, np.ndarray], *, numbered: bool = False) -> Path:
    """All slides in one file, a row a patch, in row groups of four that cut across slides."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.concatenate(list(slides.values()))
    names = [f"{name}.svs" for name, bag in slides.items() for _ in bag]
    table = pd.DataFrame({"slide_id": names, "x": 0.5, "age": 61.0})
    if numbered:
        features = {f"f{number}": column for number, column in enumerate(values.T)}
        table = pd.concat([table, pd.DataFrame(features)], axis=1)
    else:
        table["embedding"] = list(values)
    table.to_parquet(path, index=False, row_group_size=4)
    return path


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

VECTORS = {"npy": write_npy, "trident-slides": write_trident_slides}
"""Slide vectors, in two kinds of file."""


def rewrite_site(site: Path, kind: str) -> None:
    """Turn a site's plain h5 files into another format, values unchanged."""
    plain = site / "patch_features"
    slides = take(plain)
    where = 'folder = "patch_features"'
    if kind == "parquet":
        write_parquet(site / "all.parquet", slides)
        where = 'file = "all.parquet"'
    else:
        {**WRITERS, **VECTORS}[kind](plain, slides)
    toml = (site / "site.toml").read_text(encoding="utf-8")
    toml = toml.replace('folder = "patch_features"', where)
    (site / "site.toml").write_text(toml, encoding="utf-8")


def take(plain: Path) -> dict[str, np.ndarray]:
    """Return the values in a folder of plain h5 files, and remove it."""
    slides = {path.stem: _features(path) for path in sorted(plain.glob("*.h5"))}
    shutil.rmtree(plain)
    return slides


def _features(path: Path) -> np.ndarray:
    with h5py.File(path) as file:
        return np.asarray(file["features"][()], np.float32)
