"""The ClientApp: a hospital's answers to the coordinator. Parse, call, reply."""

import torch
from flwr.app import ConfigRecord, Context, Message
from flwr.clientapp import ClientApp

from client.components import multiply
from client.describe import describe, scale
from client.logged import log_questions
from client.questions import arrays_of, check_questions, words_of
from client.replies import reply
from client.rounds import evaluate, reference, train
from client.settings import Settings, read_settings
from client.site import check_described, open_site
from client.task import Task
from privacy.mods import guard

app = ClientApp(mods=[guard, log_questions, guard, check_questions])

FOLDER = "folder"
"""Record of Flower's context that keeps what the site described, from message to message."""


@app.query("describe")
def on_describe(message: Message, context: Context) -> Message:
    """Say who the site is and count its patients."""
    settings = read_settings(context)
    answer = describe(settings)
    context.state[FOLDER] = ConfigRecord({"hash": open_site(settings).cohort.fingerprint})
    return reply(message, answer)


@app.query("scaling")
def on_scaling(message: Message, context: Context) -> Message:
    """Sum the site's inputs, for means and standard deviations of all sites."""
    return reply(message, scale(_settings(context), words_of(message.content)))


@app.query("components")
def on_components(message: Message, context: Context) -> Message:
    """Sum products of the site's standardised columns, for components of all sites."""
    return reply(message, multiply(_settings(context), words_of(message.content)))


@app.train()
def on_train(message: Message, context: Context) -> Message:
    """Validate the received model, audit it if due, train it."""
    task = _task(message, context)
    return reply(
        message,
        train(task, arrays_of(message.content, "arrays"), arrays_of(message.content, "correction")),
    )


@app.query("reference")
def on_reference(message: Message, context: Context) -> Message:
    """Sum what the chosen model's baseline and background are made from."""
    return reply(message, reference(_task(message, context)))


@app.evaluate()
def on_evaluate(message: Message, context: Context) -> Message:
    """Examine the received model on one split."""
    return reply(message, evaluate(_task(message, context), arrays_of(message.content, "arrays")))


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
