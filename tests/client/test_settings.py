from pathlib import Path

import pytest

from client.settings import read_settings, site_folders
from fusion.config import flatten
from fusion.errors import ConfigError


def test_a_site_names_its_own_folder(context, tmp_path):
    found = read_settings(context({"site": str(tmp_path)}, {"rounds": 3}))
    assert (found.folder, found.run.rounds, found.run_id) == (tmp_path, 3, 1)


def test_the_coordinators_path_is_not_read_where_the_site_names_one(context, hospitals, tmp_path):
    node = {"site": str(tmp_path), "partition-id": 0}
    assert read_settings(context(node, {"sites": str(hospitals)})).folder == tmp_path


def test_a_simulation_picks_a_folder_by_number(context, tiny, hospitals):
    found = [read_settings(context({"partition-id": n}, flatten(tiny()))).folder for n in (0, 2)]
    assert found == [hospitals / "bergen", hospitals / "porto"]


def test_a_number_beyond_the_folders_is_refused(context, tiny):
    with pytest.raises(ConfigError, match=r"Partition must be one of 3 sites, got number 3\."):
        read_settings(context({"partition-id": 3}, flatten(tiny())))


def test_a_node_without_a_folder_is_told_how_to_name_it(context):
    with pytest.raises(ConfigError, match=r"must name the site's folder.*--node-config"):
        read_settings(context({}, {}))


def test_a_setting_that_does_not_fit_is_refused(context):
    with pytest.raises(ConfigError, match=r"'roundss'.*'rounds'"):
        read_settings(context({"site": "x"}, {"roundss": 1}))


def test_site_folders_come_in_order_of_name(hospitals):
    assert [folder.name for folder in site_folders(hospitals)] == ["bergen", "lyon", "porto"]


def test_a_folder_without_sites_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"Sites must be a folder of site folders.*partition"):
        site_folders(tmp_path)


def test_a_folder_without_site_toml_among_the_sites_is_named(own_hospitals):
    (own_hospitals / "lyon" / "site.toml").unlink()
    with pytest.raises(ConfigError, match=r"must have a site.toml, got none in 'lyon'"):
        site_folders(own_hospitals)


def test_a_site_keeps_its_state_in_its_folder_or_where_it_says(context, tmp_path):
    plain, elsewhere = {"site": str(tmp_path)}, {"site": str(tmp_path), "state": "/elsewhere"}
    assert read_settings(context(plain, {})).kept == tmp_path / ".concord"
    assert read_settings(context(elsewhere, {})).kept == Path("/elsewhere")


def test_the_coordinators_out_is_no_state_folder_where_the_site_names_its_own(context, tmp_path):
    node = {"site": str(tmp_path), "partition-id": 0}
    assert read_settings(context(node, {"out": "/tmp/out"})).kept == tmp_path / ".concord"


def test_a_simulated_site_keeps_its_state_with_the_run(context, tiny):
    config = tiny()
    found = read_settings(context({"partition-id": 1}, flatten(config)))
    assert found.kept == Path(config.out) / "state" / "lyon"
