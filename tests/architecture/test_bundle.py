import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from fusion.commands import QUIET

ROOT = Path(__file__).parents[2]
SENT = ("client", "fusion", "privacy", "server")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """Names in what `flwr build` would send to the sites."""
    out = tmp_path_factory.mktemp("bundle")
    tree = out / "tree"
    left_out = shutil.ignore_patterns(".git", ".venv", "__pycache__", "demo", "runs", ".*_cache")
    shutil.copytree(ROOT, tree, ignore=left_out)
    flwr = str(Path(sys.executable).with_name("flwr"))
    home = {**os.environ, **QUIET, "FLWR_HOME": str(out / "home")}
    done = subprocess.run(
        [flwr, "build", "--app", str(tree)], cwd=out, env=home, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    with zipfile.ZipFile(next(out.glob("*.fab"))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_bundle_holds_every_source_of_the_four_packages(bundle):
    wanted = {
        str(path.relative_to(ROOT)) for package in SENT for path in (ROOT / package).rglob("*.py")
    }
    held = {name for name in bundle if name.endswith(".py")}
    assert held == wanted


def test_the_bundle_holds_nothing_else_but_schema_signatures_and_what_flower_adds(bundle):
    others = {name for name in bundle if not name.endswith(".py")}
    added = {name for name in others if name.startswith(".info/")}
    tables = {f"fusion/signatures/{path.name}" for path in (ROOT / "fusion").rglob("*.toml")}
    assert others - added <= {"pyproject.toml", "server/result.schema.json", "LICENSE", *tables}
    assert tables <= others
    assert "server/result.schema.json" in others


@pytest.mark.parametrize("package", ["simulations", "tests", "benchmarks"])
def test_the_bundle_holds_nothing_of_the_researcher(bundle, package):
    assert not [name for name in bundle if name.split("/")[0] == package]


def test_the_bundle_holds_no_patient_data_and_is_small(bundle):
    assert not [name for name in bundle if name.endswith((".csv", ".h5", ".parquet"))]
    assert sum(map(len, bundle.values())) < 10 * 2**20
