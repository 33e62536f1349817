import json

import numpy as np
import pytest

from fusion.config import from_flat
from fusion.errors import ConfigError
from server.inbox import Inbox
from server.inputs import Inputs
from server.scaling import common_scale

INPUTS = Inputs(("omics",), "", 0, ("rna",), (), ("rna:A",), 0, ("rna",))


class Silent(Inbox):
    """An inbox that must not be asked."""

    def __init__(self):
        pass

    def ask(self, *_):
        raise AssertionError("a site was asked")


def test_public_statistics_ask_no_site(tmp_path):
    path = tmp_path / "public.json"
    path.write_text(json.dumps({"omics": {"rna:A": {"mean": 1.0, "sd": 2.0}}}))
    config = from_flat({"data.scaling": str(path)})
    scaled = common_scale(Silent(), ["lyon"], config, INPUTS)
    assert scaled.clipped is None
    np.testing.assert_array_equal(scaled.scaling.mean, [1.0])


def test_public_statistics_that_are_not_there_are_an_error_before_any_site_is_asked():
    config = from_flat({"data.scaling": "none.json"})
    with pytest.raises(ConfigError, match=r"must be readable JSON, got 'none.json'"):
        common_scale(Silent(), ["lyon"], config, INPUTS)
