"""A site whose policy does not allow a run: the coordinator reads why, the others go on."""

import shutil

from client.app import app as client_app
from client.site import forget_sites
from client.site_log import SiteLog
from fusion.config import flatten
from server.inbox import Inbox
from server.opening import describe
from simulations.federation import InlineGrid

POLICY = """
[cohort]
public-size = 20
[budget]
non-private-training = true
[allowed]
rounds = 1
"""


def test_the_coordinator_reads_why_a_site_takes_no_part(hospitals, tiny, tmp_path):
    sites = shutil.copytree(hospitals, tmp_path / "sites")
    (sites / "lyon" / "policy.toml").write_text(POLICY, encoding="utf-8")
    nodes = [{"site": str(site), "state": str(tmp_path / site.name)} for site in sites.iterdir()]
    config = tiny({"rounds": 2}, sites=sites)
    try:
        grid = InlineGrid(client_app, nodes, flatten(config))
        members, (failure,) = describe(Inbox(grid, config.federation))
    finally:
        forget_sites()
    told = "rounds must be at most 1 by the site's policy, got 2. Lower rounds."
    assert sorted(member.name for member in members) == ["bergen", "porto"]
    assert failure.reason == told
    kinds = {name: [line.body["kind"] for line in SiteLog(tmp_path / name / "site.log").lines()]
             for name in ("bergen", "lyon")}  # fmt: skip
    assert kinds == {"bergen": ["asked", "answered"], "lyon": ["asked", "refused"]}
    assert SiteLog(tmp_path / "lyon" / "site.log").lines()[1].body["reason"] == told
