"""A finished run opened for an attack: its model, its sites' patients, and who was trained on."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from client.consent import Consent, told_hash
from client.settings import Settings, simulated_state, site_folders
from client.site import read_site
from fusion.config import RunConfig
from fusion.errors import ConfigError
from fusion.models.entries import MODELS
from fusion.readers.bags import Room
from fusion.training.data import PatientData
from fusion.training.finished import FinishedModel, read_finished
from fusion.training.plan import Network, build_network, load_weights
from privacy.plan import PrivacyPlan
from server.folder import read_result
from server.progress import FILE, load_progress


@dataclass(frozen=True, eq=False)
class AttackedSite:
    """A site that trained, as the attacker of a simulation knows it.

    Attributes:
        name: Of the site.
        data: All its patients.
        members: Rows of the patients that the model was trained on.
        others: Rows of its other patients.
        account: What its ledger told after the run; None for a run without a promise.

    Privacy: holds patient data of a simulation.

    Source: own.
    """

    name: str
    data: PatientData
    members: tuple[int, ...]
    others: tuple[int, ...]
    account: Mapping[str, Any] | None

    @property
    def pool(self) -> list[int]:
        """Rows of all its patients, members first."""
        return [*self.members, *self.others]

    @property
    def plan(self) -> PrivacyPlan | None:
        """What the site did in the run, as it told; None without a promise."""
        if self.account is None:
            return None
        told = self.account
        return PrivacyPlan(
            told["noise_multiplier"],
            max_grad_norm=told["max_grad_norm"],
            steps=int(told["steps"]),
            delta=told["delta"],
            sampling_rate=told["sampling_rate"],
            public_size=int(told["public_size"]),
        )


@dataclass(frozen=True, eq=False)
class AttackedRun:
    """A finished run and all that its attacker may know.

    Attributes:
        folder: Of the run.
        result: What result.json holds.
        finished: What the model file holds.
        sites: Those that trained.

    Source: own.
    """

    folder: Path
    result: Mapping[str, Any]
    finished: FinishedModel
    sites: tuple[AttackedSite, ...]

    @property
    def config(self) -> RunConfig:
        """The run's settings, without its paths."""
        return self.finished.run

    @property
    def private(self) -> bool:
        """Whether the run promises anything."""
        return self.config.privacy.private

    def network(self, *, trained: bool) -> Network:
        """Return the run's network as it began, or with the weights of its model file."""
        network = build_network(self.finished.plan, self.config)
        if trained:
            load_weights(network, self.finished.arrays)
        return network.to(self.sites[0].data.device)


def open_run(folder: Path, sites: Path | None = None) -> AttackedRun:
    """Return a finished run of a simulation, with its sites' patients.

    Args:
        folder: Of the run.
        sites: Folder of site folders; None = where they lay when the run began.

    Raises:
        ConfigError: There is no finished run, its sites are not found, or none of them trained.
        ModelFileError: Its model cannot be read.
        SiteError: A site cannot be read, or is not what it was.

    Privacy: reads patient data of a simulation; nothing leaves the machine.

    Source: own.
    """
    result = read_result(folder)
    finished = read_finished(folder / result["model"]["file"])
    known = sites or _sites_of(folder)
    told = {site["name"]: site for site in result["sites"]}
    accounts = {site["name"]: site for site in result["privacy"].get("sites", ())}
    room, found = Room(), []
    for path in site_folders(known):
        site = read_site(path, finished.run, room)
        name = site.cohort.name
        if name not in told or told[name]["role"] != "train":
            continue
        private = finished.run.privacy.private
        settings = Settings(path, finished.run, 0, simulated_state(folder, path), simulated=True)
        held = told_hash(settings, site.cohort, Consent(None, private))
        if held != told[name]["data_hash"]:
            raise ConfigError(
                f"An attacked run must find the data it was trained on, got other data at site "
                f"'{name}'. Name the folder of its sites with --sites, or train anew."
            )
        data = PatientData(
            site.cohort,
            finished.plan,
            bags=site.bags,
            max_patches=finished.run.data.max_patches,
            device=site.device,
            ordered=MODELS[finished.run.model.name].ordered,
        )
        account = accounts.get(name)
        if private and (account is None or not account["steps"]):
            continue  # it never trained
        members = site.everyone("train") if private else site.rows("train")
        others = [row for row in range(len(data)) if row not in set(site.everyone("train"))]
        found.append(AttackedSite(name, data, tuple(members), tuple(others), account))
    if not found:
        raise ConfigError(
            f"An attacked run must have a site that trained, got none below '{known}'. Name the "
            "folder of its sites with --sites."
        )
    return AttackedRun(folder, result, finished, tuple(found))


def _sites_of(folder: Path) -> Path:
    """Return where a run's site folders lay, by its checkpoint."""
    known = load_progress(folder)[1]["config"]["sites"] if (folder / FILE).is_file() else ""
    if not known:
        raise ConfigError(
            f"An attacked run must tell where its sites lie, got no {FILE} that does in "
            f"'{folder}'. Name their folder with --sites."
        )
    return Path(known)
