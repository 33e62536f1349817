"""A disk that is full, a place that cannot be written, a file that cannot be read."""

import contextlib
import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from client.cli import main as site
from simulations.cli import main as simulate
from tests.hard_inputs.conftest import SETTINGS

THREE = [*SETTINGS, "--set", "rounds=3"]
UNREADABLE = Path("/proc/self/mem")
"""A file whose reading fails, whoever reads."""


@contextlib.contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let every write beyond so many bytes of a file fail, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextlib.contextmanager
def small_disk(place: Path, size: str) -> Iterator[None]:
    """Mount a disk of that size; skip where that is not allowed."""
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs more rights")
    try:
        yield
    finally:
        subprocess.run(["umount", str(place)], check=True)


@pytest.fixture(scope="module")
def straight(sound, tmp_path_factory):
    """A run of three rounds on a disk with room."""
    out = tmp_path_factory.mktemp("straight") / "run"
    assert simulate(["run", "--sites", str(sound.sites), "--out", str(out), *THREE]) == 0
    return out


def untimed(out: Path) -> dict[str, object]:
    told = json.loads((out / "result.json").read_text(encoding="utf-8"))
    del told["timings"]
    return told


def assert_resumes(out: Path, straight: Path) -> None:
    """The run goes on where it stopped, and ends as if nothing had been."""
    assert simulate(["run", "--resume", str(out)]) == 0
    assert untimed(out) == untimed(straight)
    assert (out / "model.safetensors").read_bytes() == (straight / "model.safetensors").read_bytes()


@pytest.mark.parametrize("lacking", ["checkpoint.safetensors", "report.html"])
def test_a_run_on_a_full_disk_stops_and_goes_on_when_there_is_room(
    straight, place, capsys, lacking
):
    room = (straight / lacking).stat().st_size - 300  # a round's record takes more
    with largest_file(room):
        code = simulate(["run", "--sites", str(place.sites), "--out", str(place.out), *THREE])
    told = capsys.readouterr().err
    assert code == 2
    assert f"File must be written whole, got File too large at '{place.out}/{lacking}'." in told
    assert "--resume" in told
    held = sorted(path.name for path in place.out.iterdir())
    assert held[0] == "checkpoint.safetensors"
    assert not {"result.json", lacking} & set(held[1:])
    assert not [name for name in held if name.startswith(".")]
    assert_resumes(place.out, straight)


def test_a_run_on_a_disk_that_is_really_full(straight, place, capsys):
    disk, filler = place.root / "disk", place.root / "disk" / "filler"
    with small_disk(disk, "1m"):
        free = shutil.disk_usage(disk).free
        filler.write_bytes(bytes(free - 40 * 1024))  # room for a checkpoint, not for the report
        words = ["run", "--sites", str(place.sites), "--out", str(disk / "run"), *THREE]
        assert simulate(words) == 2
        assert "got No space left on device at '" in capsys.readouterr().err
        assert not (disk / "run" / "result.json").exists()
        filler.unlink()
        assert_resumes(disk / "run", straight)


def test_predictions_on_a_full_disk_are_not_half_written(place, capsys):
    out = place.root / "p.csv"
    out.write_text("what was there before")
    with largest_file(100):
        code = site(["predict", str(place.site), "--model", str(place.model), "--out", str(out)])
    assert code == 2
    assert f"written whole, got File too large at '{out}'." in capsys.readouterr().err
    assert out.read_text() == "what was there before"
    assert not list(place.root.glob(".p.csv*"))


@pytest.mark.parametrize("command", ["partition", "synthesise"])
@pytest.mark.parametrize("room", [100, 1500])
def test_folders_on_a_full_disk_are_not_half_written(place, capsys, command, room):
    words = {
        "partition": ["--cohort", str(place.cohort), "--min-patients", "2"],
        "synthesise": ["--patients", "12", "--sites", "1"],
    }[command]
    before = sorted(path.name for path in place.root.iterdir())
    with largest_file(room):
        code = simulate([command, *words, "--out", str(place.out)])
    assert code == 2
    assert f"--out must be a folder that can be written, got '{place.out}' (" in (
        capsys.readouterr().err
    )
    assert sorted(path.name for path in place.root.iterdir()) == before
    assert simulate([command, *words, "--out", str(place.out)]) == 0


@pytest.mark.parametrize("out", ["/proc/concord/run", "/sys/concord"])
def test_a_place_that_nobody_may_write_is_refused_before_anything_is_read(place, capsys, out):
    words = ["run", "--sites", str(place.sites), "--out", out, *SETTINGS]
    assert simulate(words) == 2
    told = capsys.readouterr().err
    assert f"Output folder must be one that can be written, got '{out}' (" in told
    assert "round" not in told


@pytest.mark.skipif(os.geteuid() == 0, reason="rights do not bind root")
def test_a_folder_without_rights_is_refused(place, capsys):
    place.out.mkdir(mode=0o500)
    words = ["run", "--sites", str(place.sites), "--out", str(place.out), *SETTINGS]
    assert simulate(words) == 2
    assert "must be one that can be written" in capsys.readouterr().err


@pytest.mark.skipif(not UNREADABLE.exists(), reason="there is no file that nobody can read")
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("site.toml", "site.toml must be TOML, got"),
        ("clinical.csv", "Clinical table must be readable, got 'clinical.csv'"),
        ("rna.csv", "Omics table rna must be readable, got 'rna.csv'"),
        ("patch_features/Zq-103-a.h5", "Bag must be a whole h5 file, got 'Zq-103-a.h5'"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(place, capsys, name, says):
    (place.site / name).unlink()
    (place.site / name).symlink_to(UNREADABLE)
    assert site(["doctor", str(place.site)]) == 1
    assert says in capsys.readouterr().out


@pytest.mark.skipif(os.geteuid() == 0, reason="rights do not bind root")
@pytest.mark.parametrize("name", ["site.toml", "clinical.csv", "rna.csv", "patch_features"])
def test_a_file_without_rights_is_named(place, capsys, name):
    (place.site / name).chmod(0)
    assert site(["doctor", str(place.site)]) == 1
    told = capsys.readouterr().out
    (place.site / name).chmod(0o700)
    assert "problem: " in told


def test_a_run_whose_folder_is_deleted_writes_it_anew(place, straight, monkeypatch):
    """What a run holds is enough to write everything again after every round."""
    from server import phases

    real = phases.one_round

    def then_delete(*words):
        progress = real(*words)
        if progress.round == 2:
            shutil.rmtree(place.out)
        return progress

    monkeypatch.setattr(phases, "one_round", then_delete)
    assert simulate(["run", "--sites", str(place.sites), "--out", str(place.out), *THREE]) == 0
    assert untimed(place.out) == untimed(straight)


def test_a_command_in_a_process_of_its_own_tells_of_a_full_disk(place):
    """Where nothing catches what h5 files still try to write when Python ends."""
    root = Path(__file__).parents[2]
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500)); "
        "from simulations.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    words = ["synthesise", "--patients", "12", "--sites", "1", "--out", str(place.out)]
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "--out must be a folder that can be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert not place.out.exists()
