"""Charged first, then made, answered once: every noised thing that leaves a site passes here."""

from collections.abc import Callable
from dataclasses import dataclass

from client.consent import Consent
from client.replies import Answer
from client.settings import LEDGER, Settings
from privacy.accountant import spent
from privacy.entries import Charge, Entry
from privacy.errors import BudgetExhaustedError, LedgerError, PrivacyError
from privacy.events import PrivacyEvent
from privacy.ledger import Ledger
from privacy.mechanisms import Noise


@dataclass(frozen=True)
class Request:
    """What was asked of a private run's site, as its ledger knows it.

    Attributes:
        settings: Of the message.
        consent: What the site lets the run do.
        cohort: Hash of the site's cohort.
        run: The run's random name.
        round: Its round; -1 outside of rounds.
        content: Hash of all that the answer follows from beside the patients, such as the model.

    Source: own.
    """

    settings: Settings
    consent: Consent
    cohort: str
    run: str
    round: int
    content: str

    def __post_init__(self) -> None:
        if not self.run:
            raise PrivacyError(
                "A private run must have a name, got none. Run the same version everywhere."
            )


def open_ledger(settings: Settings, consent: Consent) -> Ledger:
    """Return the site's ledger; made in its state folder by the first private run.

    Raises:
        LedgerError: It cannot be made, or is not what it was.

    Source: own.
    """
    mirror, folder = consent.rules.mirror, settings.kept
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LedgerError(
            f"The site's state folder must be one that can be written, got '{folder}' ({error}). "
            "Name another; nothing was trained."
        ) from None
    return Ledger(folder / LEDGER, [] if mirror is None else [mirror])


def release(request: Request, name: str, make: Callable[[Noise], Answer]) -> Answer:
    """Return a noised sum: the stored one if it was asked before, or a new one that is paid for.

    Args:
        request: What was asked.
        name: Of `privacy.releases.NOISED`; the site's policy says how much noise.
        make: Draws the noise and returns the sums.

    Returns:
        The sums, named in `noised-releases`; or, if the ledger has not enough left, nothing but
        the reason in `withheld`: the run goes on without the figure.

    Raises:
        LedgerError: The ledger is not what it was, or cannot be written.

    Privacy: the charge is on the disk before noise is drawn. The same request gets the same sums,
        so that asking again averages nothing out.

    Source: own.
    """
    ledger, policy = open_ledger(request.settings, request.consent), request.consent.rules
    key, noise = (request.run, request.round, f"{name}:{request.content}"), policy.noises[name]
    stored = ledger.stored_reply(*key)
    if stored is None:
        sensitivity = 1.0  # noise is in units of it
        charge = Charge(*key, request.cohort, sensitivity, (noise.event(),), name)
        try:
            ledger.charge(charge, policy.limit)
        except BudgetExhaustedError as refused:
            return Answer(facts={"withheld": [f"{name}: {refused}"]})
        stored = make(noise).to_bytes()
        ledger.keep_reply(*key, stored)
    return Answer.from_bytes(stored).beside(Answer(facts={"noised-releases": [name]}))


def account(request: Request, ledger: Ledger) -> Answer:
    """Return what policy and ledger say by now; nothing of it depends on a patient.

    Source: own.
    """
    policy, plan = request.consent.rules, request.consent.plan()
    own = [entry for entry in ledger.entries() if entry.body.get("run") == request.run]
    total = ledger.spent(delta=plan.delta)
    run = spent(_events(own), delta=plan.delta)
    told = {
        "epsilon": total.epsilon,
        "epsilon-rdp": total.epsilon_rdp,
        "run-epsilon": run.epsilon,
        "run-epsilon-rdp": run.epsilon_rdp,
        "max-epsilon": policy.max_epsilon,
        "planned-epsilon": policy.epsilon,
        "delta": plan.delta,
        "noise-multiplier": plan.noise_multiplier,
        "max-grad-norm": plan.max_grad_norm,
        "sampling-rate": plan.sampling_rate,
        "public-size": float(plan.public_size),
        "steps": float(sum(entry.steps for entry in own)),
        "planned-steps": float(plan.steps),
    }
    return Answer(figures={f"budget:{name}": value for name, value in told.items()})


def _events(entries: list[Entry]) -> list[PrivacyEvent]:
    return [event for entry in entries for event in entry.events]
