"""A small site folder, sound unless a test puts something else in its place."""

from collections.abc import Callable, Mapping
from pathlib import Path

import h5py
import numpy as np
import pytest

TOML = """
name = "lyon"
[features]
encoder = "made-up"
width = 3
[omics]
rna = "rna.csv"
"""

CLINICAL = """patient,slide,time_days,event,age
p1,a.svs,100,1,50
p1,b.svs,100,1,50
p2,c.svs,200.5,0,61
p3,,300,1,
"""

RNA = """patient,TP53,EGFR
p3,0.5,-1
p1,1.5,2
p9,0,0
"""


def write_bag(path: Path, values: np.ndarray | None = None, **layout: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.arange(6.0).reshape(2, 3) if values is None else values
    with h5py.File(path, "w") as file:
        file.create_dataset("features", data=values.astype(np.float16), **layout)
    return path


@pytest.fixture
def bag() -> Callable[..., Path]:
    return write_bag


@pytest.fixture
def make_site(tmp_path: Path) -> Callable[..., Path]:
    def make(
        *,
        toml: str = TOML,
        clinical: str = CLINICAL,
        rna: str = RNA,
        bags: Mapping[str, np.ndarray | None] = dict.fromkeys(["a.h5", "b.h5", "c.h5"]),
    ) -> Path:
        folder = tmp_path / "site"
        folder.mkdir(exist_ok=True)
        (folder / "site.toml").write_text(toml, encoding="utf-8")
        (folder / "clinical.csv").write_text(clinical, encoding="utf-8")
        (folder / "rna.csv").write_text(rna, encoding="utf-8")
        for name, values in bags.items():
            write_bag(folder / "patch_features" / name, values)
        return folder

    return make
