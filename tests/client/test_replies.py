import numpy as np
import pytest
from flwr.app import Message, RecordDict

from client.replies import Answer, reply
from privacy.errors import PrivacyError


@pytest.fixture
def message():
    return Message(RecordDict(), dst_node_id=7, message_type="train")


def test_an_answer_travels_in_four_records(message):
    answer = Answer(
        facts={"site": "lyon", "tables": ["rna"]},
        figures={"train-loss": 0.5},
        sums={"patients": np.array([3])},
        model={"w": np.ones((2, 2), np.float32)},
    )
    content = reply(message, answer).content
    assert set(content) == {"facts", "figures", "sums", "model"}
    assert content["facts"]["tables"] == ["rna"]
    assert content["model"]["w"].numpy().dtype == np.float32


def test_no_model_is_sent_where_none_was_trained(message):
    assert set(reply(message, Answer()).content) == {"facts", "figures", "sums"}


@pytest.mark.parametrize(
    "answer",
    [
        Answer(facts={"patient": "p1"}),
        Answer(figures={"age": 3.0}),
        Answer(sums={"risk": np.ones(1)}),
    ],
)
def test_nothing_leaves_that_is_not_on_the_list(message, answer):
    with pytest.raises(PrivacyError, match="Nothing was sent"):
        reply(message, answer)


@pytest.mark.parametrize(
    "array",
    [np.array(3), np.arange(6).reshape(2, 3).T, np.arange(9.0)[::2], np.zeros((0, 4))],
    ids=["scalar", "transposed", "strided", "empty"],
)
def test_arrays_keep_shape_and_values(message, array):
    found = reply(message, Answer(model={"w": array})).content["model"]["w"].numpy()
    assert found.shape == array.shape
    np.testing.assert_array_equal(found, array)
