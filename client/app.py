"""The ClientApp: a hospital's answers to the coordinator. Parse, call, reply."""

import torch
from flwr.app import ConfigRecord, Context, Message
from flwr.clientapp import ClientApp

from client.components import multiply
from client.describe import describe, scale, uncounted
from client.logged import log_questions
from client.questions import arrays_of, check_questions, words_of
from client.replies import Answer, reply
from client.rounds import evaluate, reference, train
from client.secure_sums import Question, SecureSums, secure_words
from client.settings import Settings, read_settings
from client.site import check_described, open_site
from client.task import Task
from privacy.mods import guard

app = ClientApp(mods=[guard, log_questions, guard, check_questions])

FOLDER = "folder"
"""Record of Flower's context that keeps what the site described, from message to message."""


@app.query("describe")
def on_describe(message: Message, context: Context) -> Message:
    """Say who the site is and count its patients; the counts follow if they must be added up."""
    settings = read_settings(context)
    answer = describe(settings, str(words_of(message.content).get("run", "")))
    context.state[FOLDER] = ConfigRecord({"hash": open_site(settings).cohort.fingerprint})
    return reply(message, uncounted(answer) if settings.run.privacy.secure_aggregation else answer)


@app.query("counts")
def on_counts(message: Message, context: Context) -> Message:
    """Count the site's patients, into the sum over all sites."""
    settings = _settings(context)
    return _reply(message, context, describe(settings), Question("counts", "counts"))


@app.query("scaling")
def on_scaling(message: Message, context: Context) -> Message:
    """Sum the site's inputs, for means and standard deviations of all sites."""
    answer = scale(_settings(context), words_of(message.content))
    return _reply(message, context, answer, Question("scaling", "scaling"))


@app.query("components")
def on_components(message: Message, context: Context) -> Message:
    """Sum products of the site's standardised columns, for components of all sites."""
    answer = multiply(_settings(context), words_of(message.content))
    return _reply(message, context, answer, Question("components", "components"))


@app.train()
def on_train(message: Message, context: Context) -> Message:
    """Validate the received model, audit it if due, train it."""
    task = _task(message, context)
    content = message.content
    answer = train(task, arrays_of(content, "arrays"), arrays_of(content, "correction"))
    asked = Question(f"train {int(task.words['round'])}", "validation")
    return _reply(message, context, answer, asked)


@app.query("reference")
def on_reference(message: Message, context: Context) -> Message:
    """Sum what the chosen model's baseline and background are made from."""
    answer = reference(_task(message, context))
    return _reply(message, context, answer, Question("reference", "reference"))


@app.evaluate()
def on_evaluate(message: Message, context: Context) -> Message:
    """Examine the received model on one split."""
    task = _task(message, context)
    split = str(task.words["split"])
    answer = evaluate(task, arrays_of(message.content, "arrays"))
    return _reply(message, context, answer, Question(f"evaluate {split}", split))


@app.query("keys")
def on_keys(message: Message, context: Context) -> Message:
    """Begin a secure sum with keys of its own."""
    return reply(message, SecureSums(_settings(context), context).keys(secure_words(message)))


@app.query("shares")
def on_shares(message: Message, context: Context) -> Message:
    """Share the secrets of a secure sum with the sites that begin it."""
    return reply(message, SecureSums(_settings(context), context).shares(secure_words(message)))


@app.query("unmask")
def on_unmask(message: Message, context: Context) -> Message:
    """Help to take the masks off a finished sum."""
    return reply(message, SecureSums(_settings(context), context).unmask(secure_words(message)))


def _reply(message: Message, context: Context, answer: Answer, asked: Question) -> Message:
    """Return the answer as the site sends it, inside a secure sum if the run has them."""
    settings = read_settings(context)
    if settings.run.privacy.secure_aggregation:
        sums, received = SecureSums(settings, context), arrays_of(message.content, "model")
        answer = sums.add(secure_words(message), answer, received, asked)
    return reply(message, answer)


def _settings(context: Context) -> Settings:
    """Return the message's settings; a deployed site reads its folder anew for each message."""
    settings = read_settings(context)
    if FOLDER in context.state:
        check_described(settings, str(context.state[FOLDER]["hash"]))
    return settings


def _task(message: Message, context: Context) -> Task:
    settings = _settings(context)
    torch.set_num_threads(settings.run.threads)
    return Task(settings, words_of(message.content), arrays_of(message.content, "model"))
