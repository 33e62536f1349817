import pytest
import torch

from fusion.device import choose_device, describe_device
from fusion.errors import SiteError


@pytest.fixture
def gpu(monkeypatch):
    """Say whether torch sees a GPU."""
    return lambda there: monkeypatch.setattr(torch.cuda, "is_available", lambda: there)


@pytest.mark.parametrize(
    ("wanted", "there", "expected"),
    [
        ("auto", False, "cpu"), ("auto", True, "cuda"), ("cpu", False, "cpu"),
        ("cpu", True, "cpu"), ("cuda", True, "cuda"),
    ],
)  # fmt: skip
def test_the_device_follows_the_wish_and_the_machine(gpu, wanted, there, expected):
    gpu(there)
    assert choose_device(wanted).type == expected


def test_a_gpu_that_is_not_there_is_an_error_with_a_public_sentence(gpu):
    gpu(False)
    with pytest.raises(SiteError, match="and no GPU here") as caught:
        choose_device("cuda")
    assert caught.value.public == "The site asks for a GPU, and torch sees none."


def test_the_processor_is_described():
    assert describe_device(torch.device("cpu")).startswith("Computes on the processor (")
