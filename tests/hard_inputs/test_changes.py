"""A file that changes while a run uses it: the site says so, and nothing is mixed in silence."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from flwr.clientapp import ClientApp

from client.app import app as client_app
from client.site import forget_sites
from fusion.config import from_flat
from fusion.readers.bags import Room
from server.folder import read_result
from simulations.cli import main as simulate
from simulations.federation import run_inline
from tests.hard_inputs.conftest import SETTINGS, SMALL
from tests.hard_inputs.faults import Place
from tests.hard_inputs.sound import write_bag

WORDS = dict(pair.split("=") for pair in SMALL) | {"rounds": "3", "data.max-patches": "2"}


class Meddler(ClientApp):
    """The real ClientApp; something happens at one site before its second round."""

    def __init__(self, meddle, *, anew: bool) -> None:
        super().__init__()
        self._meddle, self._anew = meddle, anew

    def __call__(self, message, context):
        request = message.content.config_records.get("request", {})
        site = Path(context.node_config["site"]).name
        if site == "lyon" and request.get("round") == 2:
            self._meddle()
        if self._anew:  # as a deployed site does, which is a new process for each message
            forget_sites()
        return client_app(message, context)


@pytest.fixture
def lead(place: Place, monkeypatch):
    """Lead a run whose sites keep no bag in memory, and return its result."""

    def lead(meddle, *, anew: bool = False, room: int = 0):
        monkeypatch.setattr("client.site.Room", lambda: Room(room))
        config = from_flat({**WORDS, "sites": str(place.sites), "out": str(place.out)})
        run_inline(config, client=Meddler(meddle, anew=anew))
        return read_result(place.out)

    return lead


def other_bag(place: Place) -> None:
    values = np.full((5, 3), 0.5, np.float16)  # as many bytes as before
    write_bag(place.bag, {"features": values})


def other_time(place: Place) -> None:
    place.replace("clinical.csv", ",200,", ",201,")


def other_gene(place: Place) -> None:
    place.cell("rna.csv", "TP53", "1.25")


def gone(place: Place) -> None:
    shutil.rmtree(place.site)


def failures(result) -> list[list[tuple[str, str]]]:
    return [[(one["site"], one["reason"]) for one in r["failed"]] for r in result["rounds"]]


CHANGED = "A file of the site changed while it was used."
OTHER = "The site's folder changed during the run."


def test_a_bag_that_changes_is_noticed_when_it_is_opened_again(lead, place):
    result = lead(lambda: other_bag(place))
    assert failures(result) == [[], [], [("lyon", CHANGED)], [("lyon", CHANGED)]]


def test_a_bag_that_changes_but_was_kept_in_memory_changes_nothing(lead, place):
    straight = lead(lambda: None)
    shutil.rmtree(place.out)
    result = lead(lambda: other_bag(place), room=2**20)
    assert failures(result) == [[], [], [], []]
    assert result["model"]["sha256"] == straight["model"]["sha256"]


@pytest.mark.parametrize("change", [other_bag, other_time, other_gene])
def test_a_deployed_site_notices_that_its_folder_is_another(lead, place, change):
    result = lead(lambda: change(place), anew=True)
    assert failures(result) == [[], [], [("lyon", OTHER)], [("lyon", OTHER)]]
    assert result["rounds"][3]["answered"] == ["porto"]


@pytest.mark.parametrize("change", [other_time, other_gene])
def test_tables_are_read_once_a_run_where_the_process_lives_on(lead, place, change):
    """What is in memory is what the site described: nothing is mixed."""
    straight = lead(lambda: None)
    shutil.rmtree(place.out)
    result = lead(lambda: change(place))
    assert failures(result) == [[], [], [], []]
    assert result["model"]["sha256"] == straight["model"]["sha256"]


def test_a_site_whose_folder_is_deleted_is_left_out_in_a_sentence(lead, place):
    result = lead(lambda: gone(place), anew=True)
    assert failures(result)[2] == [("lyon", "The site's folder does not exist.")]


def test_a_resumed_run_notices_a_bag_of_the_same_size(place, capsys):
    words = ["run", "--sites", str(place.sites), "--out", str(place.out), *SETTINGS]
    assert simulate(words) == 0
    size = place.bag.stat().st_size
    other_bag(place)
    assert place.bag.stat().st_size == size
    assert simulate(["run", "--resume", str(place.out)]) == 2
    assert "got other data at site 'lyon'. Start a new run." in capsys.readouterr().err


def test_nothing_that_leaves_names_a_patient(lead, place):
    result = lead(lambda: other_bag(place))
    assert "Zq-" not in str(result)
