"""A round under record-level privacy: charged first, then trained, answered once."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from torch import Tensor

from client.replies import Answer
from client.settings import LEDGER
from client.task import Task
from fusion.training.checkpoint import digest_arrays
from fusion.training.data import Draw
from fusion.training.loop import StepGradient, take_steps
from fusion.training.patient_losses import PatientLosses, patient_tensors
from fusion.training.plan import weights
from privacy.accountant import spent
from privacy.attacks.step import check_step
from privacy.compatibility import check_layers, check_loss
from privacy.disclosure import TRAIN_LOSS
from privacy.engine import NoisyGradient, draw_patients
from privacy.entries import Charge
from privacy.errors import LedgerError, PrivacyError
from privacy.events import PrivacyEvent
from privacy.ledger import Ledger
from privacy.plan import PrivacyPlan


def answer_once(task: Task, examine: Callable[[], Answer]) -> Answer:
    """Return the answer to a round's request: the stored one if it was asked before.

    The same run, round and incoming model get the same bytes: no new noise, no new cost.

    Args:
        task: The request made ready.
        examine: Returns the part of the answer about the received model.

    Returns:
        What `examine` found, the trained weights, and what they cost.

    Raises:
        BudgetExhaustedError: The ledger has not enough left; nothing was trained.
        PrivacyError: The model, the loss or the steps do not go with the policy, or a step does
            not do what the policy plans.

    Privacy: the weights are noised; everything else about patients is in `examine`'s part.

    Source: own.
    """
    ledger, request = open_ledger(task), _request(task)
    stored = ledger.stored_reply(*request)
    if stored is not None:
        return Answer.from_bytes(stored)
    plan, steps = _plan_of_round(task)
    examined = examine()
    run, number, model = request
    charge = Charge(
        run, number, model, task.site.cohort.fingerprint, plan.max_grad_norm,
        (plan.training(steps),),
    )  # fmt: skip
    ledger.charge(charge, task.consent.rules.limit)
    answer = examined.beside(_train(task, plan, steps)).beside(_account(task, ledger, plan))
    ledger.keep_reply(*request, answer.to_bytes())
    return answer


def open_ledger(task: Task) -> Ledger:
    """Return the site's ledger; made in its state folder by the first private run.

    Raises:
        LedgerError: It cannot be made, or is not what it was.

    Source: own.
    """
    mirror, folder = task.consent.rules.mirror, task.settings.kept
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LedgerError(
            f"The site's state folder must be one that can be written, got '{folder}' ({error}). "
            "Name another; nothing was trained."
        ) from None
    return Ledger(folder / LEDGER, [] if mirror is None else [mirror])


def _plan_of_round(task: Task) -> tuple[PrivacyPlan, int]:
    """Return the plan of the run and this round's steps, once all has been checked."""
    check_loss(task.network.objective, task.run.objective.name)
    check_layers(task.network)
    policy, rounds = task.consent.rules, task.run.rounds
    steps = policy.steps // rounds
    if steps < 1:
        raise PrivacyError(
            f"rounds must be at most the {policy.steps} steps of the site's policy, got {rounds}. "
            "Lower rounds."
        )
    plan = task.consent.plan()
    check_step(plan, task.run.privacy.engine)
    return plan, steps


def _train(task: Task, plan: PrivacyPlan, steps: int) -> Answer:
    """Return the weights after the round's noisy steps."""
    number = int(task.words["round"])
    training = replace(task.run.training, local_steps=steps)
    done = take_steps(
        task.network,
        replace(task.run, training=training),
        _gradient(task, plan, number),
        round_number=number,
    )
    figures = {"num-examples": float(plan.public_size), "steps": float(steps)}
    facts = task.consent.exact("train-loss")
    if done.loss is not None:
        facts |= (hidden := task.suppressed(TRAIN_LOSS, task.site.everyone("train")))
        figures |= {} if hidden else {"train-loss": done.loss}
    return Answer(facts=facts, figures=figures, model=weights(task.network))


def _gradient(task: Task, plan: PrivacyPlan, number: int) -> StepGradient:
    losses = PatientLosses(task.network)
    noisy = NoisyGradient(losses, plan, engine=task.run.privacy.engine)
    rows, told = task.site.everyone("train"), task.consent.lets("train-loss")

    def gradient(step: int) -> float | None:
        task.network.train()
        draw = Draw(task.run.seed, task.site.cohort.name, number, step)
        found = noisy.step(_chunks(task, draw_patients(rows, plan), draw))
        return float(found.mean()) if told and len(found) else None

    return gradient


def _chunks(task: Task, rows: Sequence[int], draw: Draw) -> Iterator[dict[str, Tensor]]:
    size = task.run.training.micro_batch
    for start in range(0, len(rows), size):
        yield patient_tensors(task.network, task.data, rows[start : start + size], draw)


def _account(task: Task, ledger: Ledger, plan: PrivacyPlan) -> Answer:
    """Return what policy and ledger say after the round; nothing of it depends on a patient."""
    policy, run = task.consent.rules, task.words["run"]
    total, own = ledger.spent(delta=plan.delta), spent(_events(ledger, run), delta=plan.delta)
    told = {
        "epsilon": total.epsilon,
        "epsilon-rdp": total.epsilon_rdp,
        "run-epsilon": own.epsilon,
        "run-epsilon-rdp": own.epsilon_rdp,
        "max-epsilon": policy.max_epsilon,
        "planned-epsilon": policy.epsilon,
        "delta": plan.delta,
        "noise-multiplier": plan.noise_multiplier,
        "max-grad-norm": plan.max_grad_norm,
        "sampling-rate": plan.sampling_rate,
        "public-size": float(plan.public_size),
        "steps": float(sum(event.count for event in _events(ledger, run))),
        "planned-steps": float(plan.steps),
    }
    return Answer(figures={f"budget:{name}": value for name, value in told.items()})


def _events(ledger: Ledger, run: str) -> list[PrivacyEvent]:
    return [
        event for entry in ledger.entries() for event in entry.events if entry.body["run"] == run
    ]


def _request(task: Task) -> tuple[str, int, str]:
    run = str(task.words["run"])
    if not run:
        raise PrivacyError(
            "A private run must have a name, got none. Run the same version everywhere."
        )
    return run, int(task.words["round"]), digest_arrays(task.shared)
