import pytest
from flwr.app import Context, RecordDict

from client.settings import read_settings
from client.site import forget_sites
from fusion.config import flatten


@pytest.fixture(autouse=True)
def _fresh():
    yield
    forget_sites()


@pytest.fixture
def context():
    def context(node, run_config):
        return Context(1, 7, node, RecordDict(), run_config)

    return context


@pytest.fixture
def settings_at(hospitals, tiny, context):
    def settings_at(site="lyon", changes=None, *, sites=hospitals):
        config = flatten(tiny(changes))
        return read_settings(context({"site": str(sites / site)}, config))

    return settings_at
