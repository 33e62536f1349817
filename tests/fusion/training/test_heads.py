import pytest

from fusion.errors import ConfigError
from fusion.models.entries import MODELS
from fusion.training import loop
from fusion.training.heads import head_names, head_of, without_head
from fusion.training.loop import train_round
from fusion.training.plan import build_network, weights

PERSONAL = {"federation.personal": "head"}


@pytest.fixture
def network_of(plan, settings):
    def network_of(name):
        config = settings(PERSONAL | {"model.name": name})
        return build_network(plan, config), config

    return network_of


@pytest.mark.parametrize("name", [name for name in MODELS if MODELS[name].head])
def test_a_head_is_the_last_layers_and_leaves_something_to_share(network_of, name):
    network, config = network_of(name)
    names, arrays = head_names(network, config), weights(network)
    fusion = [n for n, _ in network.named_parameters() if n.startswith("model.fusion.")]
    assert fusion[-1] in names
    assert names < set(arrays)
    assert all(n.startswith("model.fusion.") for n in names)
    assert not any(n.startswith("objective.") for n in names)


@pytest.mark.parametrize("name", [name for name in MODELS if not MODELS[name].head])
def test_a_model_without_a_head_is_refused(network_of, name):
    with pytest.raises(ConfigError, match=rf"layers below its head, got '{name}'\. Choose"):
        head_names(*network_of(name))


def test_without_the_setting_everything_is_shared(plan, settings):
    config = settings({"model.name": "linear"})
    assert head_names(build_network(plan, config), config) == frozenset()


def test_late_fusion_keeps_what_joins_the_risks(network_of):
    names = head_names(*network_of("late"))
    assert names == {"model.fusion.combine.weight", "model.fusion.combine.bias"}


def test_head_and_rest_make_the_whole(network_of):
    network, config = network_of("gated")
    names, arrays = head_names(network, config), weights(network)
    head, rest = head_of(network, names), without_head(arrays, names)
    assert not set(head) & set(rest)
    assert {n: v.tobytes() for n, v in (head | rest).items()} == {
        n: v.tobytes() for n, v in arrays.items()
    }


def test_fedprox_does_not_pull_at_what_is_never_averaged(network_of, data, monkeypatch):
    network, config = network_of("gated")
    seen, pull = [], loop._pull
    monkeypatch.setattr(loop, "_pull", lambda *given: seen.append(given[1]) or pull(*given))
    prox = type(config.federation)(strategy="fedprox", personal="head")
    prox = type(config)(**{**vars(config), "federation": prox})
    train_round(network, data, list(range(24)), prox, round_number=1)
    pulled = {name for name, _ in network.named_parameters()} - head_names(network, config)
    assert all(set(anchor) == pulled for anchor in seen)
    assert len(seen) == config.training.local_steps
