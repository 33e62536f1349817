import json
import sqlite3

import pytest

from client.cli import main
from privacy.accountant import epsilon_of
from privacy.entries import Charge, Limit
from privacy.errors import BudgetExhaustedError
from privacy.events import PrivacyEvent
from privacy.ledger import Ledger

POLICY = "[cohort]\npublic-size = 100\n[budget]\nmax-epsilon = 3\ndelta = 1e-3\n"
STEPS = PrivacyEvent("gaussian", 10.0, count=25)


@pytest.fixture
def site(tmp_path):
    folder = tmp_path / "lyon"
    (folder / ".concord").mkdir(parents=True)
    (folder / "policy.toml").write_text(POLICY)
    ledger = Ledger(folder / ".concord" / "ledger.sqlite")
    for number in (1, 2):
        ledger.charge(Charge("r1", number, "m", "c", 1.0, (STEPS,)), Limit(3.0, 1e-3))
    with pytest.raises(BudgetExhaustedError):
        ledger.charge(
            Charge("r1", 3, "m", "c", 1.0, (STEPS, STEPS, STEPS, STEPS)), Limit(3.0, 1e-3)
        )
    return folder


def told(capsys):
    return json.loads(capsys.readouterr().out)


def test_plan_prints_the_noise_that_an_epsilon_needs_and_back(capsys):
    words = ["plan", "--delta", "1e-3", "--steps", "100", "--release", "gaussian:12:4", "--json"]
    assert main([*words, "--epsilon", "3", "--sampling-rate", "0.2"]) == 0
    found = told(capsys)
    # 2.2444 without releases
    assert found["noise_multiplier"] == pytest.approx(2.274, abs=0.003)
    assert 2.99 < found["epsilon"] <= 3.0 < found["epsilon_rdp"]
    noise = str(found["noise_multiplier"])
    assert main([*words, "--noise-multiplier", noise, "--sampling-rate", "0.2"]) == 0
    assert told(capsys)["epsilon"] == pytest.approx(found["epsilon"], rel=1e-9)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--epsilon", "0", "--delta", "1e-3", "--steps", "5"], "epsilon must be a number > 0"),
        (["--epsilon", "1", "--delta", "2", "--steps", "5"], "delta must be in"),
        (["--epsilon", "1", "--delta", "1e-3", "--steps", "0"], "steps must be > 0"),
        (["--noise-multiplier", "0", "--delta", "1e-3", "--steps", "5"], "noise_multiplier must"),
    ],
)
def test_plan_says_what_is_wrong(words, said, capsys):
    assert main(["plan", *words]) == 2
    assert said in capsys.readouterr().err


def test_show_tells_what_was_spent_what_is_left_and_what_was_refused(site, capsys):
    assert main(["ledger", "show", str(site), "--json"]) == 0
    found = told(capsys)
    cost = epsilon_of([STEPS] * 2, delta=1e-3)
    assert found["epsilon"] == pytest.approx(cost, rel=1e-9)
    assert found["left"] == pytest.approx(3 - cost, rel=1e-9)
    assert [entry["kind"] for entry in found["entries"]] == ["charge", "charge", "refusal"]
    assert main(["ledger", "show", str(site)]) == 0
    out = capsys.readouterr().out
    assert f"Spent: epsilon {cost:.4f} of 3 at delta 0.001" in out
    assert out.count("25 x gaussian 10") == 6
    assert "refused" in out


def test_verify_agrees_until_a_row_is_edited(site, capsys):
    assert main(["ledger", "verify", str(site)]) == 0
    assert "3 entries, chain unbroken" in capsys.readouterr().out
    database = sqlite3.connect(site / ".concord" / "ledger.sqlite")
    database.execute("UPDATE entries SET body = replace(body, '25', '1')")
    database.commit()
    database.close()
    assert main(["ledger", "verify", str(site)]) == 2
    assert "chain must be unbroken" in capsys.readouterr().err


def test_a_new_mirror_is_written_once(site, tmp_path, capsys):
    mirror = tmp_path / "mirror.head"
    (site / "policy.toml").write_text(POLICY + f'mirror = "{mirror}"\n')
    assert main(["ledger", "verify", str(site)]) == 2
    assert "--new-mirror" in capsys.readouterr().err
    assert main(["ledger", "verify", str(site), "--new-mirror"]) == 0
    assert mirror.is_file()
    assert main(["ledger", "verify", str(site), "--new-mirror"]) == 2
    assert "must name a new file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("policy", "said"),
    [(None, "must have a policy.toml, got none"), ("[cohort]\npublic-size = 9\n", "max-epsilon")],
)
def test_a_ledger_without_a_policy_is_not_read(site, policy, said, capsys):
    (site / "policy.toml").unlink()
    if policy:
        (site / "policy.toml").write_text(policy)
    assert main(["ledger", "show", str(site)]) == 2
    assert said in capsys.readouterr().err


def test_a_site_without_a_ledger_says_so(site, tmp_path, capsys):
    assert main(["ledger", "show", str(site), "--state", str(tmp_path)]) == 2
    assert "A ledger must be there to be read" in capsys.readouterr().err
