"""Where a site computes: on its processor, or on a GPU if it has one."""

import os

import torch

from fusion.errors import SiteError

DEVICES = ("auto", "cpu", "cuda")
"""What `device` in site.toml may be; the hospital decides, not the run."""


def choose_device(wanted: str) -> torch.device:
    """Return the device that a site's `device` means on this machine.

    Args:
        wanted: One of `DEVICES`; `auto` is the first GPU that torch sees, else the processor.

    Raises:
        SiteError: A GPU is asked for, and torch sees none.

    Source: own.
    """
    there = torch.cuda.is_available()
    if wanted == "cuda" and not there:
        raise SiteError(
            "Device must be one that torch sees, got 'cuda' in site.toml and no GPU here. Install "
            'torch for CUDA and the GPU\'s driver, or write device = "auto".',
            public="The site asks for a GPU, and torch sees none.",
        )
    return torch.device("cuda" if there and wanted != "cpu" else "cpu")


def make_repeatable(device: torch.device) -> None:
    """Ask torch for the same sums in the same order each time; call it before the first one.

    Processors do so anyhow. Dropout and the choice of patches depend on keys alone, so a GPU
    repeats the processor's work up to rounding.

    Args:
        device: Where the site computes.

    Source: own; the workspace is what CUDA's matrix products need for it.
    """
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)


def describe_device(device: torch.device) -> str:
    """Return a sentence on where the site computes.

    Source: own.
    """
    if device.type == "cuda":
        return f"Computes on a GPU: {torch.cuda.get_device_name(device)}."
    return f"Computes on the processor ({os.cpu_count()} cores)."
