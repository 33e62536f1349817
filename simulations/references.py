"""What a federation is measured against: its sites as one, and the same work without messages."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from client.settings import Settings
from client.site import forget_sites, open_site
from fusion.config import RunConfig
from fusion.errors import ConfigError
from simulations.joined_site import Part, write_joined

POOLED = "pooled"
"""Name of the site that holds all patients."""


def pool_sites(folders: Sequence[Path], *, config: RunConfig, out: Path) -> Path:
    """Write one site folder with the patients of several, each in the split of its own site.

    A run on it alone trains and tests on the same patients as the federation of `folders` with the
    same settings; held-out sites are all test. Patients are named `site/patient`; a clinical column
    that is called like one of ours falls away. Where no site has validation patients, run it with
    split.validation = 0, or the reader carves some from training.

    Args:
        folders: The site folders.
        config: The federation's settings: seed, split and data decide what is written.
        out: Folder to write; must be absent or empty.

    Returns:
        `out`, with the genes that all sites share and the bags as links.

    Raises:
        ConfigError: `out` is not empty or cannot be written.
        SiteError: A site cannot be read.
        FederationError: The sites' encoders differ, or they share no genes.

    Privacy: patient data is copied on one machine.

    Source: own.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"out must be an absent or empty folder, got '{out}'. Choose another.")
    partial = out.absolute().with_name(f".{out.name}.partial-{os.getpid()}")
    try:
        sites = [open_site(Settings(folder, config, 0)) for folder in folders]
        parts = [Part(site.cohort, site.split) for site in sites]
        write_joined(partial, parts, name=POOLED, data=config.data)
        partial.replace(out)
    except (OSError, RuntimeError) as error:  # h5py's word for a full disk is the latter
        raise ConfigError(
            f"out must be a folder that can be written, got '{out}' ({error}). Choose another."
        ) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        forget_sites()
    return out
