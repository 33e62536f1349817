import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from fusion.objectives.classification import ClassificationObjective, balanced_weights

LOGITS = torch.tensor([[2.0, 0.0, -1.0], [0.0, 1.0, 0.0], [0.5, 0.5, 0.5]])
LABEL = torch.tensor([0, 1, 2])


def test_equal_weights_give_the_usual_cross_entropy():
    found = ClassificationObjective((1.0, 1.0, 1.0)).loss(LOGITS, label=LABEL)
    torch.testing.assert_close(found, cross_entropy(LOGITS, LABEL))


def test_a_patients_loss_is_weighted_by_the_own_class_alone():
    # patient 3: -log(1/3) times 4 = 4.3944
    found = ClassificationObjective((1.0, 2.0, 4.0)).losses(LOGITS, label=LABEL)
    assert found[2].item() == pytest.approx(4 * np.log(3), abs=1e-6)
    alone = ClassificationObjective((1.0, 2.0, 4.0)).losses(LOGITS[2:], label=LABEL[2:])
    assert alone.item() == found[2].item()


def test_balanced_weights_make_the_classes_count_alike():
    # 60 training patients of three classes: 60 / (3 * 10) = 2, 60 / (3 * 20) = 1, 60 / 90 = 2/3
    weights = balanced_weights([10, 20, 30])
    assert weights == (2.0, 1.0, pytest.approx(2 / 3))
    assert np.dot(weights, [10, 20, 30]) == pytest.approx(60)


def test_nobody_gives_zero_with_a_graph():
    logits = torch.zeros(0, 3, requires_grad=True)
    loss = ClassificationObjective((1.0,) * 3).loss(logits, label=torch.zeros(0).long())
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None


def test_sure_models_have_finite_losses_and_gradients():
    logits = (500 * torch.eye(3)).requires_grad_()
    loss = ClassificationObjective((1.0,) * 3).loss(logits, label=torch.tensor([1, 2, 0]))
    loss.backward()
    assert loss.item() == pytest.approx(500)
    assert torch.isfinite(logits.grad).all()


def test_the_row_of_an_engine_gives_the_same_losses():
    objective = ClassificationObjective((1.0, 2.0, 4.0))
    rows = torch.cat([LOGITS.double(), LABEL[:, None].double()], 1)
    torch.testing.assert_close(objective(rows), objective.losses(LOGITS, label=LABEL))


def test_confidence_is_each_halfs_probability_of_the_true_class():
    halves = torch.stack([torch.log(torch.tensor([[0.5, 0.3, 0.2]])),
                          torch.log(torch.tensor([[0.1, 0.8, 0.1]]))], 1)  # fmt: skip
    objective = ClassificationObjective((1.0,) * 3)
    assert objective.confidence(halves, label=torch.tensor([1])) == pytest.approx((0.3, 0.8))
    assert objective.confidence(halves[:0], label=torch.tensor([1])[:0]) is None


def test_the_state_holds_no_weights_of_classes():
    assert not ClassificationObjective((1.0, 2.0)).state_dict()


def test_probabilities_sum_to_one_and_do_not_overflow():
    found = ClassificationObjective.probabilities(np.array([[1000.0, 0.0], [0.0, 0.0]]))
    np.testing.assert_allclose(found, [[1.0, 0.0], [0.5, 0.5]])
