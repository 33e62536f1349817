"""A site that answers garbage: refused by name and reason, and the run goes on without it."""

import json
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from fusion.config import flatten, from_flat
from privacy.errors import PrivacyError
from server.arrival import check_arrived
from server.inbox import Inbox, to_record
from server.opening import describe
from server.phases import conduct
from server.schema import validate
from simulations.federation import InlineGrid, site_nodes

ROOT = Path(__file__).parents[2]

UNPICKLES = re.compile(
    r"\b(c?[Pp]ickle|dill|joblib|marshal)\.load|Unpickler\b|shelve|allow_pickle=True|read_pickle"
    r"|weights_only=False|torch\.load\((?!.*weights_only=True)"
)

HUGE = 1e308


def changed(record, **new):
    """A record with other entries, or with some more; None takes one out."""
    kind, told = type(record), {**record, **{k.replace("_", "-"): v for k, v in new.items()}}
    return kind({name: value for name, value in told.items() if value is not None})


def array(value):
    return to_record({"x": np.asarray(value)})["x"]


RAW = Array("float64", (2,), "numpy.ndarray", pickle.dumps([1.0, 2.0]))

EVERY = [
    ("facts", lambda _: MetricRecord({"site": 1})),
    ("sums", lambda _: ConfigRecord({"patients": "all"})),
    ("sums", lambda r: changed(r, patient=array([1.0]))),
    ("figures", lambda r: changed(r, risk=0.3)),
    ("figures", lambda r: changed(r, site=1.0)),
    ("patients", lambda _: ConfigRecord({"p1": "lyon-0001"})),
]
"""What is refused of any answer: the record, and what stands in its place."""

DESCRIBE = [
    *EVERY,
    ("facts", lambda _: ConfigRecord({})),
    ("facts", lambda r: changed(r, site="../../etc/passwd")),
    ("facts", lambda r: changed(r, site="x" * 100_000)),
    ("facts", lambda r: changed(r, site="porto")),
    ("facts", lambda r: changed(r, role="coordinator")),
    ("facts", lambda r: changed(r, feature_width=10**12)),
    ("facts", lambda r: changed(r, tables="rna")),
    ("facts", lambda r: changed(r, data_hash=None)),
    ("sums", lambda r: changed(r, patients=array([-1, 0, 0]))),
    ("sums", lambda r: changed(r, patients=array([np.nan, 0, 0]))),
    ("sums", lambda r: changed(r, patients=array([10**12, 0, 0]))),
    ("sums", lambda r: changed(r, events=array([1, 2]))),
    ("sums", lambda r: changed(r, events=RAW)),
    ("sums", lambda r: changed(r, outcome_histogram=array(np.zeros((3, 2, 2))))),
    ("sums", lambda _: ArrayRecord()),
]

TRAIN = [
    *EVERY,
    ("sums", lambda r: changed(r, loss=array([np.nan, 1.0]))),
    ("sums", lambda r: changed(r, loss=array([1.0]))),
    ("sums", lambda r: changed(r, loss=RAW)),
    ("sums", lambda r: changed(r, loss=array([[HUGE, 1.0], [HUGE, 1.0]]))),
    ("sums", lambda r: changed(r, risk_moments=array([5.0, np.inf, 1.0]))),
    ("sums", lambda r: changed(r, outcome_counts=array(np.zeros((2, 2, 2), np.int64)))),
    ("sums", lambda r: changed(r, concordance=array([1.0, np.inf, 0.1]))),
    ("sums", lambda _: ArrayRecord()),
    ("figures", lambda r: changed(r, num_examples=-5.0)),
    ("figures", lambda r: changed(r, num_examples=float("nan"))),
    ("figures", lambda r: changed(r, steps=None)),
    ("model", lambda _: ArrayRecord()),
    ("model", lambda r: changed(r, **{"../../x": array([1.0])})),
    ("model", lambda r: to_record({name: one.numpy() * np.nan for name, one in r.items()})),
    ("model", lambda r: to_record({name: one.numpy()[..., :1] for name, one in r.items()})),
    ("model", lambda r: ArrayRecord(dict.fromkeys(r, RAW))),
]


class Recorded(ClientApp):
    """Sites that answer as in a run before, but for lyon, whose answers to one kind are spoiled."""

    def __init__(self, exchanges, kind, spoils):
        super().__init__()
        self.known = {self.key(e.site, e.request): e for e in exchanges}
        self.kind, self.spoils = kind, iter(spoils)

    @staticmethod
    def key(site, message):
        words = message.content.config_records.get("request", {})
        return site, message.metadata.message_type, words.get("split")

    def __call__(self, message, context):
        site = Path(context.node_config["site"]).name
        seen = self.known[self.key(site, message)]
        content = RecordDict(dict(seen.reply.content))
        if (site, message.metadata.message_type) == ("lyon", self.kind):
            record, change = next(self.spoils)
            content[record] = change(content.get(record))
        return Message(content, reply_to=message)


@pytest.fixture
def spoiled(finished, tmp_path):
    """Lead a run again with lyon's answers to one kind of question spoiled, one after another."""

    def spoiled(kind, spoils, rounds=1):
        changes = {"rounds": rounds, "out": str(tmp_path / "run"), "audit.every": 0}
        config = from_flat({**flatten(finished.config), **changes})
        app = Recorded(finished.exchanges, kind, spoils)
        found = conduct(InlineGrid(app, site_nodes(config), flatten(config)), config)
        validate(found)
        json.dumps(found, allow_nan=False)
        return found

    return spoiled


@pytest.mark.parametrize(("record", "change"), DESCRIBE)
def test_a_site_that_describes_itself_as_no_site_can_is_left_out(finished, record, change):
    app = Recorded(finished.exchanges, "query.describe", [(record, change)])
    grid = InlineGrid(app, site_nodes(finished.config), flatten(finished.config))
    members, failures = describe(Inbox(grid, finished.config.federation), bins=20)
    names = {member.name for member in members}
    assert "bergen" in names
    assert "lyon" not in names
    assert len(members) + len(failures) == 3
    assert all(len(failure.reason) > 20 for failure in failures)


def test_a_run_goes_on_without_a_site_that_cannot_be(spoiled):
    found = spoiled("query.describe", [("facts", lambda r: changed(r, role="coordinator"))])
    assert found["rounds"][-1]["answered"] == ["bergen", "porto"]


def test_updates_that_no_site_can_send_are_refused_and_told(spoiled):
    """A round for each of them."""
    found = spoiled("train", TRAIN, rounds=len(TRAIN))
    for done in found["rounds"][1:]:
        (failed,) = done["failed"]
        assert failed["site"] == "lyon", done["round"]
        assert len(failed["reason"]) > 20
        assert done["answered"] == ["bergen", "porto"]
        assert done["accepted"]


@pytest.mark.parametrize("kind", ["query.scaling", "query.reference", "evaluate"])
def test_other_answers_that_no_site_can_send_do_not_end_the_run(spoiled, kind):
    found = spoiled(kind, [("sums", lambda _: ArrayRecord())] * 2)
    examined = {site["name"] for site in found["evaluation"]["sites"]}
    assert {"bergen", "porto"} <= examined
    assert kind != "evaluate" or "lyon" not in examined


def test_numbers_beyond_all_bounds_do_not_end_the_run(spoiled):
    def blown(name, size):
        def change(record):
            value = np.full_like(record[name].numpy(), size)
            return changed(record, **{name: array(value)})

        return "sums", change

    names = ("loss", "risk-moments", "concordance")
    spoils = [blown(name, size) for name in names for size in (HUGE, -HUGE)]
    assert spoiled("train", spoils, rounds=len(spoils))["rounds"][-1]["accepted"]


def test_an_answer_over_the_cap_is_refused(finished, monkeypatch):
    reply = next(e.reply for e in finished.exchanges if e.kind == "train")
    check_arrived(reply.content)
    monkeypatch.setattr("privacy.releases.LARGEST", 1000)
    with pytest.raises(PrivacyError, match="A message must have at most 1,000 bytes"):
        check_arrived(reply.content)


def test_no_package_unpickles():
    """The readers' one `torch.load` reads tensors alone (`weights_only`)."""
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for package in ("client", "fusion", "privacy", "server", "simulations")
        for path in sorted((ROOT / package).rglob("*.py"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if UNPICKLES.search(line)
    ]
    assert found == []
