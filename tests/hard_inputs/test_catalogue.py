"""Every broken input brings its sentence and a code that is not 0; no traceback, no name leaves."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from client.cli import main as site
from fusion.readers.cohort import check_cohort
from server.cli import main as server
from simulations.cli import main as simulate
from tests.hard_inputs.catalogue import (
    bags,
    clinical,
    cohorts,
    described,
    formats,
    models,
    patients,
    predictions,
    runs,
    settings,
    tables,
)
from tests.hard_inputs.conftest import SETTINGS
from tests.hard_inputs.faults import CATALOGUE, Fault, Place
from tests.hard_inputs.sound import MARK

ROOT = Path(__file__).parents[2]
PARTS = (
    described, clinical, patients, tables, bags, formats,
    settings, runs, cohorts, predictions, models,
)  # fmt: skip
NAMES = [fault.name for fault in CATALOGUE]
ALONE = ("features-of-a-trillion-patches", "model-truncated")
"""Faults that meet the real command in a process of its own, too."""


def command(fault: Fault, place: Place, words: list[str]):
    """The main function of the fault's command, and its arguments."""
    sites, out = ["--sites", str(place.sites)], ["--out", str(place.out)]
    predictions, model = str(place.root / "p.csv"), ["--model", str(place.model)]
    return {
        "doctor": (site, ["doctor", *(words or [str(place.site)])]),
        "predict": (site, ["predict", str(place.site), *model, "--out", predictions, *words]),
        "report": (server, ["report", str(place.out), *words]),
        "run": (simulate, ["run", *sites, *out, *SETTINGS, *words]),
        "partition": (
            simulate,
            ["partition", "--cohort", str(place.cohort), *out, "--min-patients", "2", *words],
        ),
        "synthesise": (simulate, ["synthesise", "--patients", "4", *out, *words]),
        "metrics": (simulate, ["metrics", str(place.predictions), *words]),
    }[fault.command]


def spoilt(fault: Fault, place: Place, sound: Place):
    if fault.command == "report":
        shutil.copytree(sound.out, place.out)
    return command(fault, place, [str(word) for word in fault.spoil(place) or ()])


def contents(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*")}


def test_the_catalogue_is_large_and_names_each_fault_once():
    assert len(CATALOGUE) >= 350
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("fault", CATALOGUE, ids=NAMES)
def test_a_fault_brings_its_sentence(fault, place, sound, capsys):
    main, words = spoilt(fault, place, sound)
    before = contents(place.root)
    try:
        code = main(words)
    except SystemExit as ended:  # argparse leaves so
        code = ended.code
    told = capsys.readouterr()
    assert fault.says in told.out + told.err
    assert "Traceback" not in told.out + told.err
    if fault.warns:
        assert code == 0
    else:
        assert code == (1 if fault.command == "doctor" else 2)
        assert contents(place.root) == before  # nothing new, whole or half
    if fault.command == "doctor":
        findings = check_cohort(Path(words[1]))
        assert not [one.public for one in findings if MARK.lower() in one.public.lower()]


@pytest.mark.parametrize("name", ALONE)
def test_the_real_command_ends_with_the_sentence(name, place, sound):
    fault = next(one for one in CATALOGUE if one.name == name)
    main, words = spoilt(fault, place, sound)
    program = [sys.executable, "-m", f"{main.__module__}", *words]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in (1, 2)
    assert fault.says in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command_", sorted({one.command for one in CATALOGUE}))
def test_the_sound_place_brings_no_sentence(command_, place, sound, capsys):
    """Without this the catalogue would pass on a product that refuses everything."""
    fault = Fault("sound", command_, lambda _: None, "")
    main, words = spoilt(fault, place, sound)
    assert main(words) == 0
    told = capsys.readouterr()
    assert not [line for line in told.out.splitlines() if line.startswith(("problem", "warning"))]
    assert "error" not in told.err
