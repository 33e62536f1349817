"""Parts of a deployment are killed: no round lost or counted twice, no budget understated."""

import os
import sys
import time
from functools import partial

import pytest

from tests.deployment.conftest import LONG, everybody, logs_told, wait_for
from tests.faults.conftest import ROUNDS
from tests.faults.wire import HERE, Wire, can_cut

pytestmark = pytest.mark.faults

KILLS = int(os.environ.get("CONCORD_KILLS", "20"))


def test_a_killed_superlink_is_started_again_and_the_run_resumed(faulty):
    run = faulty.lead("superlink")
    with logs_told(faulty.coordinator.programs.folder):
        wait_for(lambda: faulty.done("superlink") >= 2 or run.poll(), "two rounds", every=0.5)
        assert faulty.kill("SuperLink")
        assert run.wait(LONG) == 2
    before = faulty.done("superlink")
    faulty.finish("superlink", run)
    result = faulty.check("superlink")
    assert "continue the run with `concord-server run CONFIG --resume`" in (
        (faulty.coordinator.programs.folder / "superlink.log").read_text(encoding="utf-8")
    )
    assert result["timings"]["resumed_after"] == [before]


def test_a_killed_supernode_comes_back_by_itself_and_the_round_is_asked_again(faulty):
    run = faulty.lead("supernode")
    with logs_told(faulty.coordinator.programs.folder):
        wait_for(lambda: faulty.done("supernode") >= 2 or run.poll(), "two rounds", every=0.5)
        assert faulty.kill("SuperNode", of="lyon")
    faulty.finish("supernode", run)
    result = faulty.check("supernode")
    assert "asked-again" in {event["kind"] for event in result["events"]}
    told = faulty.federation.hospitals["lyon"].log("start").read_text(encoding="utf-8")
    assert "The SuperNode was stopped by SIGKILL. It is started again in 20 s." in told


@pytest.mark.skipif(not can_cut(), reason="network namespaces need root and `ip`")
def test_a_site_whose_network_is_cut_comes_back_and_the_round_is_asked_again(faulty):
    with Wire() as wire, faulty.moved("lyon", wire.INSIDE, HERE):
        run = faulty.lead("cut")
        with logs_told(faulty.coordinator.programs.folder):
            wait_for(lambda: faulty.done("cut") >= 1 or run.poll(), "a round", every=0.5)
            wire.cut()
            wait_for(lambda: not everybody(faulty.coordinator), "lyon to be marked offline")
            wire.join()
        faulty.finish("cut", run)
    assert "asked-again" in {event["kind"] for event in faulty.check("cut")["events"]}


def test_random_kills_lose_no_round_and_understate_no_budget(faulty):
    name, killed, number = "random-0", [], 0
    run = faulty.lead(name)
    while len(killed) < KILLS:
        wait_for(partial(faulty.at_work, name, run), "the run to begin or to fail", every=0.5)
        time.sleep(faulty.random.uniform(1.0, 20.0))
        killed.append(faulty.strike())
        time.sleep(1.0)
        faulty.mend()
        if run.poll() == 0:
            faulty.check(name)
            number += 1
            name = f"random-{number}"
            run = faulty.lead(name)
        elif run.poll() is not None:
            run = faulty.lead(name, resume=faulty.done(name) >= 0)
    faulty.finish(name, run)
    assert len(faulty.check(name)["rounds"]) == ROUNDS + 1
    counts = {part: killed.count(part) for part in sorted(set(killed))}
    sys.stdout.write(f"\n{len(killed)} random kills in {number + 1} runs: {counts}\n")
