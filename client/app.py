"""The ClientApp: a hospital's answers to the coordinator. Parse, call, reply."""

import torch
from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from client.describe import describe, scale
from client.replies import reply
from client.rounds import Task, evaluate, reference, train
from client.settings import read_settings
from privacy.mods import guard

app = ClientApp(mods=[guard])


@app.query("describe")
def on_describe(message: Message, context: Context) -> Message:
    """Say who the site is and count its patients."""
    return reply(message, describe(read_settings(context)))


@app.query("scaling")
def on_scaling(message: Message, context: Context) -> Message:
    """Sum the site's inputs, for means and standard deviations of all sites."""
    words = message.content["request"]
    answer = scale(
        read_settings(context),
        tables=words["tables"],
        clinical=words["clinical"],
        features=words["features"],
    )
    return reply(message, answer)


@app.train()
def on_train(message: Message, context: Context) -> Message:
    """Validate the received model, audit it if due, train it."""
    return reply(message, train(_task(message, context)))


@app.query("reference")
def on_reference(message: Message, context: Context) -> Message:
    """Sum what the chosen model's baseline and background are made from."""
    return reply(message, reference(_task(message, context)))


@app.evaluate()
def on_evaluate(message: Message, context: Context) -> Message:
    """Examine the received model on one split."""
    content = message.content
    background = _arrays(message, "arrays") if "arrays" in content else {}
    return reply(message, evaluate(_task(message, context), background))


def _task(message: Message, context: Context) -> Task:
    settings = read_settings(context)
    torch.set_num_threads(settings.run.threads)
    return Task(settings, message.content["request"], _arrays(message, "model"))


def _arrays(message: Message, record: str) -> dict:
    return {name: value.numpy() for name, value in message.content[record].items()}
