"""A round under record-level privacy: charged first, then trained, answered once."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from torch import Tensor

from client.charging import Request, account, open_ledger
from client.replies import Answer
from client.task import Task
from fusion.training.checkpoint import digest_arrays
from fusion.training.data import Draw
from fusion.training.loop import StepGradient, take_steps
from fusion.training.patient_losses import PatientLosses, patient_tensors
from fusion.training.plan import weights
from privacy.attacks.step import check_step
from privacy.compatibility import check_layers, check_loss
from privacy.disclosure import TRAIN_LOSS
from privacy.engine import NoisyGradient, draw_patients
from privacy.entries import Charge
from privacy.errors import PrivacyError
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
    request = request_of(task, digest_arrays(task.shared))
    ledger = open_ledger(task.settings, task.consent)
    key = (request.run, request.round, request.content)
    stored = ledger.stored_reply(*key)
    if stored is not None:
        return Answer.from_bytes(stored)
    plan, steps = _plan_of_round(task)
    examined = examine()
    charge = Charge(*key, request.cohort, plan.max_grad_norm, (plan.training(steps),))
    ledger.charge(charge, task.consent.rules.limit)
    answer = examined.beside(_train(task, plan, steps)).beside(account(request, ledger))
    ledger.keep_reply(*key, answer.to_bytes())
    return answer


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


def request_of(task: Task, content: str) -> Request:
    """Return a request as the ledger knows it.

    Args:
        task: The request made ready.
        content: Hash of all that the answer follows from beside the patients.

    Raises:
        PrivacyError: The run has no name.

    Source: own.
    """
    cohort, words = task.site.cohort.fingerprint, task.words
    number = int(words.get("round", -1))
    return Request(task.settings, task.consent, cohort, str(words["run"]), number, content)
