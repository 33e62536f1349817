"""What a privacy officer asks of a site: what was spent, and whether the ledger holds."""

from dataclasses import dataclass
from pathlib import Path

from client.policy import FILE, Policy, read_policy
from client.settings import LEDGER, STATE
from fusion.errors import ConfigError
from fusion.readers.cohort import read_cohort
from privacy.accountant import Spent
from privacy.entries import Entry
from privacy.heads import Head
from privacy.ledger import Ledger


@dataclass(frozen=True)
class Account:
    """A site's ledger as a person reads it.

    Attributes:
        policy: Of the site.
        entries: Every line of the ledger.
        spent: By every patient.

    Source: own.
    """

    policy: Policy
    entries: tuple[Entry, ...]
    spent: Spent

    @property
    def left(self) -> float:
        """Epsilon that is left below the policy's limit."""
        return max(self.policy.max_epsilon - self.spent.epsilon, 0.0)


def read_account(folder: Path, state: Path | None = None) -> Account:
    """Return what a site has spent; the ledger's chain and heads are checked.

    Args:
        folder: A site folder.
        state: Its state folder, if elsewhere than in it.

    Raises:
        ConfigError: There is no policy or no ledger.
        LedgerError: The ledger is not what it was.

    Source: own.
    """
    policy, ledger = open_ledger(folder, state)
    return Account(policy, ledger.entries(), ledger.spent(delta=policy.delta))


def accept_cohort(folder: Path, state: Path | None = None) -> Entry:
    """Write into the ledger that a person accepts the cohort as it is now.

    Raises:
        ConfigError: There is no policy or no ledger.
        SiteError: The cohort cannot be read.
        LedgerError: The ledger is not what it was.

    Privacy: what was spent stays spent.

    Source: own.
    """
    _, ledger = open_ledger(folder, state)
    return ledger.accept_cohort(read_cohort(folder).fingerprint)


def add_mirror(folder: Path, state: Path | None = None) -> Path:
    """Write the ledger's head to the mirror that the policy names, where there is none yet.

    Raises:
        ConfigError: There is no policy, ledger or mirror, or the mirror holds a head already.
        LedgerError: The ledger is not what it was.

    Source: own.
    """
    policy = _policy(folder)
    if policy.mirror is None or policy.mirror.exists():
        got = "none" if policy.mirror is None else f"a file at '{policy.mirror}'"
        raise ConfigError(f"budget.mirror in {FILE} must name a new file, got {got}. Change it.")
    path = _path(folder, state)
    Ledger(path)
    head = Head.read(path.with_suffix(".head")) or Head()
    head.write(policy.mirror)
    return policy.mirror


def open_ledger(folder: Path, state: Path | None = None) -> tuple[Policy, Ledger]:
    """Return a site's policy and the ledger that exists already.

    Raises:
        ConfigError: There is no policy or no ledger.
        LedgerError: The ledger is not what it was.

    Source: own.
    """
    policy = _policy(folder)
    path = _path(folder, state)
    return policy, Ledger(path, [] if policy.mirror is None else [policy.mirror])


def _policy(folder: Path) -> Policy:
    policy = read_policy(folder)
    if policy is None or not policy.max_epsilon:
        got = "none" if policy is None else "none with max-epsilon"
        raise ConfigError(
            f"A site with a ledger must have a {FILE}, got {got} in '{folder}'. Write [cohort] "
            "public-size and [budget] max-epsilon."
        )
    return policy


def _path(folder: Path, state: Path | None) -> Path:
    path = (state or folder / STATE) / LEDGER
    if not path.is_file() and not path.with_suffix(".head").is_file():
        raise ConfigError(
            f"A ledger must be there to be read, got none at '{path}'. It is made by the first "
            "private run; --state names another folder."
        )
    return path
