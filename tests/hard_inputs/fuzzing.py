"""One damaged folder a seed: it is refused in a sentence, or read as it is."""

import contextlib
import io
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from client.cli import main
from fusion.errors import ConcordError
from fusion.readers.cohort import Cohort, read_cohort
from fusion.readers.omics import omics_vector
from tests.hard_inputs import reference
from tests.hard_inputs.mutations import damage
from tests.hard_inputs.sound import make_site
from tests.layouts import rewrite_site

KINDS = ("plain", "plain", "plain", "clam-pt", "clam-h5", "trident", "stamp", "parquet", "tables")
"""What a folder was before it was damaged; `tables` = both tables are parquet."""

SECONDS = 60
"""Longer than this is a hang."""

REFUSED, ACCEPTED, WRONG = "refused in a sentence", "accepted and read as it is", "WRONG"


@dataclass(frozen=True)
class Verdict:
    """What became of one damaged folder."""

    seed: int
    outcome: str
    done: tuple[str, ...]
    reason: str = ""


def sound_folders(root: Path) -> dict[str, Path]:
    """Write one sound folder of each kind."""
    made = {kind: make_site(root / kind) for kind in dict.fromkeys(KINDS)}
    for kind, folder in made.items():
        if kind == "tables":
            tables_as_parquet(folder)
        elif kind != "plain":
            rewrite_site(folder, kind)
    return made


def tables_as_parquet(folder: Path) -> None:
    import pandas as pd

    for name in ("clinical", "rna"):
        table = pd.read_csv(folder / f"{name}.csv", dtype={"patient": str})
        table.to_parquet(folder / f"{name}.parquet", index=False)
        (folder / f"{name}.csv").unlink()
    text = (folder / "site.toml").read_text(encoding="utf-8")
    (folder / "site.toml").write_text(text.replace(".csv", ".parquet"), encoding="utf-8")


def judge(seed: int, sound: dict[str, Path], place: Path) -> Verdict:
    """Damage a copy of a sound folder and say what the product makes of it."""
    folder = place / "site"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(sound[KINDS[seed % len(KINDS)]], folder)
    done = tuple(damage(folder, seed))
    try:
        with at_most(SECONDS):
            healthy = doctor(folder)
            cohort = opened(folder)
            if healthy != (cohort is not None):
                raise AssertionError(f"the doctor says {healthy}, the reader {not healthy}")
            if cohort is None:
                return Verdict(seed, REFUSED, done)
            compare(cohort, folder)
            return Verdict(seed, ACCEPTED, done)
    except Exception as error:  # noqa: BLE001 -- whatever comes is what this looks for
        return Verdict(seed, WRONG, done, f"{type(error).__name__}: {error}"[:400])


def doctor(folder: Path) -> bool:
    """Return whether the doctor lets training start; what it says must be sentences."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(["doctor", str(folder)])
    told = out.getvalue()
    assert code in (0, 1), err.getvalue()
    assert "Traceback" not in told + err.getvalue()
    assert ("problem: " in told) == (code == 1)
    return code == 0


def opened(folder: Path) -> Cohort | None:
    """Return the cohort after reading all of it, None where it is refused."""
    try:
        cohort = read_cohort(folder)
        omics_vector(cohort, tables=tuple(cohort.tables))
        reader = cohort.bags()
        for patient in range(len(cohort.patients)):
            list(reader.chunks(patient, 4096))
            reader.coordinates(patient)
    except ConcordError:
        return None
    return cohort


def compare(cohort: Cohort, folder: Path) -> None:
    """Raise unless the cohort is what the second reader finds in the folder."""
    expected = reference.read(folder)
    assert cohort.name == expected.name
    assert list(cohort.patients) == sorted(expected.time)
    np.testing.assert_allclose(cohort.time, [expected.time[p] for p in cohort.patients], rtol=1e-12)
    assert cohort.event.tolist() == [expected.event[p] for p in cohort.patients]
    assert set(cohort.tables) == set(expected.omics)
    for name, table in cohort.tables.items():
        for place, patient in enumerate(cohort.patients):
            row = expected.omics[name].get(patient)
            assert table.present[place] == (row is not None)
            if row is not None:
                assert list(table.genes) == list(row)
                np.testing.assert_allclose(table.values[place], list(row.values()), rtol=1e-6)
    compare_patches(cohort, expected)


def compare_patches(cohort: Cohort, expected: reference.Expected) -> None:
    reader = cohort.bags()
    for place, patient in enumerate(cohort.patients):
        parts = list(reader.chunks(place, 4096))
        assert bool(parts) == (patient in expected.patches)
        if parts:
            np.testing.assert_array_equal(np.concatenate(parts), expected.patches[patient])


@contextlib.contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """Raise in a block that takes longer."""

    def stop(*_: object) -> None:
        raise AssertionError(f"it hangs: more than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
