"""A coordinator that asks for more, or for other things, than a run does: each is refused."""

import pickle
import shutil
import sys
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, RecordDict

from client.app import app as client_app
from client.site import forget_sites
from client.site_log import SiteLog
from fusion.config import flatten
from server.inbox import to_record

WEIGHT = "model.encoders.slides.vector.project.weight"

OPENED: list[str] = []
"""Paths that this process opens while `Hospital.asked` looks."""


def _note(event, arguments):
    if event == "open" and LOOKING and isinstance(arguments[0], str):
        OPENED.append(arguments[0])


LOOKING: list[bool] = []
sys.addaudithook(_note)


@dataclass
class Hospital:
    """Lyon as deployed: its folder, what it keeps, and the run's settings as they reach it."""

    folder: Path
    state: Path
    config: dict
    context: Context = field(init=False)

    def __post_init__(self):
        node = {"site": str(self.folder), "state": str(self.state)}
        self.context = Context(7, 1, node, RecordDict(), self.config)

    def asked(self, content, kind="train"):
        OPENED.clear()
        LOOKING.append(True)
        try:
            return client_app(Message(content, dst_node_id=1, message_type=kind), self.context)
        finally:
            LOOKING.clear()
            forget_sites()

    @property
    def patient_files_opened(self):
        inside = [Path(path) for path in OPENED if path.startswith(str(self.folder))]
        return [path for path in inside if path.name != "policy.toml"]

    @property
    def log(self):
        return [line.body for line in SiteLog(self.state / "site.log").lines()]


@pytest.fixture
def lyon(finished, hospitals, tmp_path):
    folder = shutil.copytree(hospitals / "lyon", tmp_path / "lyon")
    return Hospital(folder, tmp_path / "kept", flatten(finished.config))


@pytest.fixture
def question(finished):
    """A copy of what lyon was really asked, with changed words."""

    def question(kind="train", **words):
        seen = next(e for e in finished.exchanges if e.site == "lyon" and e.kind == kind)
        told = {name.replace("_", "-"): value for name, value in words.items()}
        content = RecordDict(dict(seen.request.content))
        content["request"] = ConfigRecord({**seen.request.content["request"], **told})
        return content

    return question


def model_of(content):
    return {name: one.numpy().copy() for name, one in content["model"].items()}


def with_model(content, change):
    """Put a changed model into a question."""
    arrays = model_of(content)
    change(arrays)
    content["model"] = to_record(arrays)
    return content


def with_array(content, data, *, dtype="float32", shape=(2,)):
    """Put bytes in the place of an array."""
    record = ArrayRecord(dict(content["model"]))
    record[WEIGHT] = Array(dtype, shape, "numpy.ndarray", data)
    content["model"] = record
    return content


def refused(hospital, content, reason, kind="train"):
    """Ask; the refusal is told, logged, and no patient's file was opened."""
    reply = hospital.asked(content, kind)
    assert reply.has_error()
    assert reason in reply.error.reason
    assert hospital.log[-1]["kind"] == "refused"
    assert hospital.log[-1]["reason"] == reply.error.reason
    assert hospital.patient_files_opened == []
    return reply


def test_an_honest_question_is_answered_and_reads_patients(lyon, question):
    assert not lyon.asked(question()).has_error()
    assert lyon.patient_files_opened
    assert lyon.log[-1]["kind"] == "answered"


@pytest.mark.parametrize(
    ("kind", "sent", "reason"),
    [
        ("evaluate", "query.scaling", "A question evaluate must have plan, "),
        ("query.reference", "query.describe", "A question query.reference must have plan, "),
        ("query.components", "query.scaling", "got no components"),
    ],
)
def test_the_words_of_another_task_are_refused(lyon, question, kind, sent, reason):
    content = question(sent) if sent != "query.describe" else RecordDict()
    refused(lyon, content, reason, kind)


@pytest.mark.parametrize("kind", ["query.patients", "query.describe_all", "train.everything"])
def test_a_task_that_does_not_exist_opens_nothing(lyon, question, kind):
    with pytest.raises(ValueError, match="function registered with name"):
        lyon.asked(question(), kind)
    assert lyon.patient_files_opened == []


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"epsilon": 8.0}, "Words of a question must be known, got epsilon"),
        ({"noise_multiplier": 0.1}, "Words of a question must be known, got noise-multiplier"),
        ({"release": "patients"}, "Words of a question must be known, got release"),
        ({"../../policy.toml": 1}, "Words of a question must be known, got ../../policy.toml"),
        ({"round": "1"}, "'round' must be of kind int, got 1"),
        ({"round": 10**9}, "Rounds must follow each other up to 2, got 0 and 1000000000"),
        ({"round": 2, "model_round": 0}, "Rounds must follow each other"),
        ({"model_round": -1}, "Rounds must follow each other"),
        ({"audit": 1}, "'audit' must be of kind bool"),
        ({"risk_centre": float("nan")}, "'risk-centre' must be of kind float"),
        ({"plan": "[" * 100_000}, "A plan must be one that Concord wrote"),
        ({"plan": '{"tables": "../../../etc"}'}, "A plan must be one that Concord wrote"),
    ],
)
def test_words_that_no_run_has_are_refused(lyon, question, words, reason):
    refused(lyon, question(**words), reason)


def test_another_groups_patients_are_not_to_be_had(lyon, question):
    content = question("evaluate", split="bergen")
    refused(lyon, content, "'split' must be one of train, validation, test, got bergen", "evaluate")


def test_a_record_that_no_run_has_is_refused(lyon, question):
    content = question()
    content["patients"] = ConfigRecord({"all": True})
    refused(lyon, content, "Records of a question must be known")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("record", ["model", "correction", "arrays"])
def test_arrays_that_are_not_finite_are_refused(lyon, question, record, value):
    content = question()
    content[record] = to_record({"w": np.array([0.0, value])})
    refused(lyon, content, "Arrays must hold finite numbers, got w")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda m: m.pop(WEIGHT), "have the arrays of the run's network, got 1 oth"),
        (lambda m: m.update({"../../x": np.zeros(1)}), "got 1 others: ../../x"),
        (
            lambda m: m.update({WEIGHT: np.zeros(10**6, np.float32)}),
            f"must have '{WEIGHT}' as float32",
        ),
        (
            lambda m: m.update({WEIGHT: m[WEIGHT].astype("f8")}),
            "got float64 of shape",
        ),
        (
            lambda m: m.update({WEIGHT: m[WEIGHT] + 100}),
            f"lie within 1 of the one of round 0, array by array, got 100 in '{WEIGHT}'",
        ),
    ],
    ids=["missing", "crafted name", "huge", "type", "far away"],
)
def test_a_model_that_is_not_the_runs_is_refused(lyon, question, change, reason):
    refused(lyon, with_model(question(), change), reason)


class Bomb:
    """What runs when it is unpickled."""

    def __reduce__(self):
        return (exec, ("import builtins; builtins.exploded = True",))


def npy(array, **options):
    file = BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def promising(shape):
    """Bytes of an array whose header promises more than there is."""
    head = npy(np.zeros(2, np.float32))
    return head.replace(b"(2,)", str(shape).encode()).replace(b" " * len(str(shape)), b"", 0)


@pytest.mark.parametrize(
    ("data", "shape"),
    [
        (pickle.dumps(Bomb()), (2,)),
        (npy(np.array([Bomb()], object), allow_pickle=True), (1,)),
        (b"PK\x03\x04" + bytes(100), (2,)),
        (npy(np.zeros(2, np.float32))[:-1], (2,)),
        (promising((10**9, 10**9)), (10**9, 10**9)),
        (b"", (2,)),
    ],
    ids=["pickle", "objects", "archive", "short", "promise", "nothing"],
)
def test_what_is_no_array_is_never_unpacked(lyon, question, data, shape):
    refused(lyon, with_array(question(), data, shape=shape), "must be numbers as numpy writes them")
    assert not hasattr(__import__("builtins"), "exploded")


def test_a_message_over_the_cap_is_refused(lyon, question, monkeypatch):
    monkeypatch.setattr("privacy.releases.LARGEST", 1000)
    refused(lyon, question(), "A message must have at most 1,000 bytes, got ")


def test_a_plan_for_a_huge_network_gets_no_memory(lyon, question):
    plan = question()["request"]["plan"].replace('"feature_width": 24', '"feature_width": 10000000')
    refused(lyon, question(plan=plan), "of shape (8, 10000000), got float32")


def test_a_round_is_not_trained_from_a_second_model(lyon, question):
    first = lyon.asked(question())
    again = lyon.asked(question())
    assert not first.has_error()
    for name, one in first.content["model"].items():
        np.testing.assert_array_equal(one.numpy(), again.content["model"][name].numpy())

    def nudge(model):
        name = next(iter(model))
        model[name] = model[name] + np.float32(0.01)

    content = with_model(question(), nudge)
    refused(lyon, content, "A round must be asked with one model, got another one for round 1")


def test_a_model_may_move_on_round_by_round_but_not_jump(lyon, question):
    def moved(by, number):
        def change(model):
            model.update({k: v + np.float32(by) for k, v in model.items() if v.dtype.kind == "f"})

        return with_model(question(round=number, model_round=number - 1), change)

    assert not lyon.asked(moved(0.0, 1)).has_error()
    assert not lyon.asked(moved(0.9, 2)).has_error()
    reason = "lie within 1 of the one of round 1"
    refused(lyon, moved(-0.2, 2), reason)


def test_the_sites_policy_sets_how_far_a_model_may_move(lyon, question):
    text = "[cohort]\npublic-size = 20\n[budget]\nnon-private-training = true\n"
    (lyon.folder / "policy.toml").write_text(text + "[allowed]\nmodel-change = 1e-3\n")

    def nudge(model):
        model.update({k: v + np.float32(0.01) for k, v in model.items() if v.dtype.kind == "f"})

    refused(lyon, with_model(question(), nudge), "lie within 0.001 of the one of round 0")


@pytest.mark.parametrize(
    "key", ["sites", "out", "data.scaling", "model.groups", "audit.model-file"]
)
def test_a_path_in_the_settings_is_not_opened_at_a_site(lyon, question, key, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("of another department")
    lyon.config[key] = f"{lyon.folder}/../secret"
    lyon.context.run_config[key] = lyon.config[key]
    lyon.asked(question())
    lyon.asked(RecordDict(), "query.describe")
    reached = {str(Path(path).resolve()) for path in OPENED if path.startswith(str(tmp_path))}
    assert str(secret) not in reached
    assert all(one.startswith((str(lyon.folder), str(lyon.state))) for one in reached)


def test_a_name_of_a_run_is_no_path(lyon, question):
    content = question(run="../../../tmp/x")
    refused(lyon, content, "'run' must be empty or 32 hexadecimal digits, got ../../../tmp/x")


@pytest.mark.parametrize(
    ("key", "value"),
    [("privacy.epsilon", 8.0), ("privacy.noise-multiplier", 0.0), ("policy.rounds", 10**6)],
)
def test_a_setting_that_is_the_sites_own_does_not_exist(lyon, question, key, value):
    lyon.context.run_config[key] = value
    refused(lyon, question(), "ConfigError: see the log at the site.")
