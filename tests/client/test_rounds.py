import numpy as np
import pytest

from client.rounds import Task, evaluate
from fusion.models.gated import Gated


@pytest.fixture
def task(settings_at, finished):
    """The closing's request to one hospital, as it came."""

    def task(**changes):
        at_lyon = [e for e in finished.exchanges if e.site == "lyon" and e.kind == "evaluate"]
        content = at_lyon[-1].request.content
        model = {name: array.numpy() for name, array in content["model"].items()}
        background = {name: array.numpy() for name, array in content["arrays"].items()}
        words = dict(content["request"])
        return Task(settings_at("lyon", changes), words, model), background

    return task


@pytest.fixture
def counted(monkeypatch):
    """Patients whose patches were read, and rows given to each fusion."""

    def counted(task):
        read, fused = [], []
        chunks, forward = task.data.bags.chunks, Gated.forward
        monkeypatch.setattr(
            task.data.bags, "chunks", lambda row, size: read.append(row) or chunks(row, size)
        )
        monkeypatch.setattr(
            Gated, "forward",
            lambda self, e: fused.append(len(e["omics"])) or forward(self, e),
        )  # fmt: skip
        return read, fused

    return counted


def test_test_and_audit_read_every_patient_once_and_fuse_few_rows(task, counted):
    ready, background = task()
    read, fused = counted(ready)
    answer = evaluate(ready, background)
    rows = ready.site.rows("test")
    complete = int(answer.sums["audit"][0])
    assert read == [row for row in rows if ready.data.present["slides"][row]]
    # the test itself; then nobody's coalition once, and three of each patient
    assert fused == [len(rows), 1, complete, complete, complete]


def test_donors_are_read_once_each_whatever_the_number_of_patients(task, counted):
    ready, _ = task(**{"audit.background": "marginal", "audit.donors": 4})
    read, fused = counted(ready)
    answer = evaluate(ready, {})
    complete = int(answer.sums["audit"][0])
    assert answer.figures == {"donors": 4.0}
    assert (
        len(read)
        == len(set(read))
        == int(ready.data.present["slides"][ready.site.rows("test")].sum()) + 4
    )
    # at most 3 R + 1 rows a patient: 2 R + 1 each and R for nobody's coalition
    assert sum(fused[1:]) == complete * 9 + 4


def test_an_audit_changes_no_test_figure(task):
    ready, background = task()
    alone = Task.__new__(Task)
    vars(alone).update(vars(ready) | {"words": {**ready.words, "audit": False}})
    with_audit, without = evaluate(ready, background).sums, evaluate(alone, background).sums
    assert set(with_audit) - set(without) == {"audit"}
    for name, value in without.items():
        np.testing.assert_array_equal(with_audit[name], value)
