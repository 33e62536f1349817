"""The same patients in another format train the same model, to the last bit."""

import numpy as np
import pytest

from fusion.training.checkpoint import load_arrays
from tests import layouts

CHANGES = {"rounds": 1}


@pytest.fixture(scope="module")
def original(tiny, lead):
    return weights(lead(tiny(CHANGES)))


def weights(finished):
    return load_arrays(finished.folder / "model.safetensors")[0]


@pytest.mark.parametrize("kind", ["clam-pt", "trident", "stamp", "parquet"])
def test_every_format_trains_the_same_model(own_hospitals, tiny, lead, watching, original, kind):
    for folder in own_hospitals.iterdir():
        layouts.rewrite_site(folder, kind)
    watch = watching()
    finished = lead(tiny(CHANGES, sites=own_hospitals), watch)
    found = weights(finished)
    assert set(found) == set(original)
    assert all(np.array_equal(found[name], original[name]) for name in original)
    check_nothing_of_an_attribute_left(finished, watch)


def check_nothing_of_an_attribute_left(finished, watch):
    said = [repr(exchange.reply.content) for exchange in watch.exchanges]
    files = [path.read_bytes() for path in finished.folder.rglob("*") if path.is_file()]
    left = "".join([*said, repr(finished.result)]).encode() + b"".join(files)
    assert len(left) > 10_000
    assert not any(part in left for part in (b"oncology", b"savetodir", b"jane.doe", b"level0"))
