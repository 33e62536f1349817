"""What one message tells a hospital: which folder is its own, and the run's settings."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from flwr.app import Context

from fusion.config import RunConfig, Scalar, from_flat
from fusion.errors import ConfigError

STATE = ".concord"
"""Folder in the site's own for what it keeps of a run, unless its node config names another."""

LEDGER = "ledger.sqlite"
"""The ledger's file in it."""


@dataclass(frozen=True)
class Settings:
    """Where the site's data lies and what the run asks.

    Attributes:
        folder: The site's folder; named by the site, or by the simulation, never by the coordinator
            of a deployment.
        run: The run's settings.
        run_id: Flower's number of the run.
        state: Folder for what the site keeps of a run, named like `folder`; None = `.concord` in
            the site's own.
        simulated: Whether coordinator and site are one machine, by the site's own node config.
        key: The site's private key, for secure sums; named like `folder`.
        peers: Folder of the other sites' public keys, likewise.

    Source: own.
    """

    folder: Path
    run: RunConfig
    run_id: int
    state: Path | None = None
    simulated: bool = False
    key: Path | None = None
    peers: Path | None = None

    @property
    def kept(self) -> Path:
        """Where the site keeps what outlives a message."""
        return self.state or self.folder / STATE


def read_settings(context: Context) -> Settings:
    """Return the settings that Flower's context holds.

    Args:
        context: Of the ClientApp. `node_config["site"]` is the site's folder; in a simulation
            `partition-id` picks one of the folders below the run's `sites`. `node_config["state"]`
            is where the site keeps what outlives a message; `.concord` in its folder by default,
            in a simulation a folder below the run's `out`. A simulation says so by
            `partition-id` instead of `site`, or by `simulated`.

    Returns:
        Checked settings.

    Raises:
        ConfigError: A setting does not fit, or no folder is named.

    Source: own.
    """
    run = _run(tuple(context.run_config.items()))
    folder = _folder(context, run)
    node = context.node_config
    simulated = bool(node.get("simulated", "site" not in node))
    state = _state(context, run, folder)
    key, peers = (Path(str(node[name])) if name in node else None for name in ("key", "peers"))
    return Settings(folder, run, context.run_id, state, simulated, key, peers)


def simulated_state(out: Path, folder: Path) -> Path:
    """Return where a simulated site keeps its state: with the run, not with the data.

    Source: own.
    """
    return out / "state" / folder.name


def site_folders(sites: Path) -> list[Path]:
    """Return the site folders below `sites`, in order of name.

    Raises:
        ConfigError: There is none.

    Source: own.
    """
    folders = sorted(path for path in sites.glob("*/") if not path.name.startswith("."))
    found = [folder for folder in folders if (folder / "site.toml").is_file()]
    if found and len(found) < len(folders):
        lacking = next(folder.name for folder in folders if folder not in found)
        raise ConfigError(
            f"Every folder of '{sites}' must have a site.toml, got none in '{lacking}'. Write it, "
            "or move the folder away."
        )
    if not found:
        raise ConfigError(
            f"Sites must be a folder of site folders, each with a site.toml, got '{sites}'. "
            "Make them with `concord-simulate partition`."
        )
    return found


@lru_cache(maxsize=8)
def _run(items: tuple[tuple[str, Scalar], ...]) -> RunConfig:
    return from_flat(dict(items))


def _folder(context: Context, run: RunConfig) -> Path:
    """A path from the coordinator is read only where Flower says that it simulates."""
    node = context.node_config
    if "site" in node:
        return Path(str(node["site"]))
    if "partition-id" not in node:
        raise ConfigError(
            "Node config must name the site's folder, got none. Start the SuperNode with "
            "--node-config 'site=\"/path/to/site\"'."
        )
    folders = site_folders(Path(run.sites))
    number = int(node["partition-id"])
    if number >= len(folders):
        raise ConfigError(
            f"Partition must be one of {len(folders)} sites, got number {number}. "
            "Start as many SuperNodes as there are site folders."
        )
    return folders[number]


def _state(context: Context, run: RunConfig, folder: Path) -> Path | None:
    node = context.node_config
    if "state" in node:
        return Path(str(node["state"]))
    return None if "site" in node else simulated_state(Path(run.out), folder)
