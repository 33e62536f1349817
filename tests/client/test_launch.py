import importlib
import sys

import pytest
from flwr.supernode.runtime import run_clientapp as flower

from client import launch
from client.approval import approve
from client.site_log import SiteLog
from privacy.errors import PrivacyError
from tests.client.test_approval import PROJECT, packed

# Flower's package shows a function of this name, not the module
command = importlib.import_module("flwr.supernode.cli.flwr_clientapp")


@pytest.fixture
def delivered(tmp_path, monkeypatch):
    """Stand in for Flower: deliver a bundle, and note what is installed."""
    bundle, installed = packed(tmp_path / "app.fab", PROJECT), []

    def keep(content, **_):
        installed.append(content)
        return tmp_path

    monkeypatch.setenv(launch.SITE, str(tmp_path))
    monkeypatch.setattr(flower, "install_from_fab", keep)
    deliver = lambda: flower.install_from_fab(bundle.read_bytes(), skip_prompt=True)  # noqa: E731
    monkeypatch.setattr(command, "flwr_clientapp", deliver)
    monkeypatch.setattr(launch, "_forget_ours", lambda: None)
    return bundle, installed


def test_a_bundle_that_nobody_approved_is_not_even_unpacked(delivered):
    _, installed = delivered
    with pytest.raises(PrivacyError, match="must be approved by the site"):
        launch.main()
    assert installed == []


def test_an_approved_bundle_is_installed(delivered, tmp_path):
    bundle, installed = delivered
    approve(bundle, tmp_path)
    launch.main()
    assert installed == [bundle.read_bytes()]


def test_a_flower_without_the_step_that_is_guarded_runs_nothing(monkeypatch):
    ran = []
    monkeypatch.delattr(flower, "install_from_fab")
    monkeypatch.setattr(command, "flwr_clientapp", lambda: ran.append(True))
    with pytest.raises(AttributeError, match="install_from_fab"):
        launch.main()
    assert ran == []


def test_the_installed_modules_make_room_for_the_bundles(monkeypatch):
    modules = {"client": 1, "client.app": 1, "fusion.errors": 1, "clients": 1, "torch": 1}
    monkeypatch.setattr(sys, "modules", modules)
    launch._forget_ours()
    assert set(modules) == {"clients", "torch"}


@pytest.mark.usefixtures("delivered")
def test_a_refused_bundle_is_in_the_sites_log(tmp_path, monkeypatch):
    monkeypatch.setenv(launch.KEPT, str(tmp_path / "kept"))
    with pytest.raises(PrivacyError):
        launch.main()
    (line,) = SiteLog(tmp_path / "kept" / "site.log").lines()
    assert (line.body["kind"], line.body["question"]) == ("refused", "bundle")
    assert "must be approved by the site" in line.body["reason"]
