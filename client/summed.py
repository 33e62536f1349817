"""What of an answer goes into a secure sum, what beside it in clear, and what stays at home."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from client.bounds import bounded
from client.replies import Answer
from privacy.disclosure import SUPPRESSED
from privacy.releases import leaves
from privacy.secure.layout import Layout

WEIGHT = "num-examples"
LOSS = "train-loss"
WITHIN = "within"
CONCORDANCE = "concordance"


def summed(answer: Answer, received: Mapping[str, np.ndarray], *, most: float) -> Answer:
    """Return an answer of which everything about patients is fit to be added to other sites'.

    A model is multiplied by its weight, so that the sum over the sum of the weights is the average.
    Figures of this site alone stay at home; concordance enters as pairs and squared error, from
    which the mean within sites follows.

    Args:
        answer: What the site would send on its own.
        received: The model that came.
        most: As in `bounded`.

    Raises:
        PrivacyError: The update is not finite, or not one of the received model.

    Privacy: what is left among facts and figures says nothing of a patient.

    Source: own.
    """
    sums = {name: value for name, value in answer.sums.items() if leaves(name) == "summed"}
    if CONCORDANCE in answer.sums:
        concordant, comparable, error = map(float, answer.sums[CONCORDANCE])
        # a site whose pairs all agree has no error of its own: 1/2 is the most it can be
        error = 0.5 if np.isnan(error) else error
        sums[WITHIN] = np.array([concordant, comparable, (comparable * error) ** 2])
    model = answer.model
    if model is not None:
        weight, loss = float(answer.figures[WEIGHT]), answer.figures.get(LOSS)
        sums[WEIGHT] = np.array([weight])
        sums[LOSS] = np.zeros(2) if loss is None else weight * np.array([loss, 1.0])
        held = bounded(model, received, most=most)
        model = {name: weight * np.asarray(value, np.float64) for name, value in held.items()}
    figures = {name: v for name, v in answer.figures.items() if leaves(name) == "clear"}
    facts = {name: v for name, v in answer.facts.items() if name != SUPPRESSED}
    return Answer(facts, figures, sums, model)


def layout_of(answer: Answer) -> Layout:
    """Return how an answer of `summed` becomes words.

    Source: own.
    """
    return Layout.of(answer.model or {}, answer.sums)


def in_clear(answer: Answer) -> Answer:
    """Return the part of an answer of `summed` that goes beside the sum.

    Source: own.
    """
    return replace(answer, sums={}, model=None)
