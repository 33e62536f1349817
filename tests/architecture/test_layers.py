import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from fusion import __version__
from fusion.config import RunConfig, flatten

ROOT = Path(__file__).parents[2]
PACKAGES = ("fusion", "privacy", "client", "server", "simulations")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def sources(*folders):
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def test_the_layers_hold():
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(("folders", "most"), [(PACKAGES, 300), (("tests",), 400)])
def test_no_file_is_long(folders, most):
    lengths = {p: len(p.read_text(encoding="utf-8").splitlines()) for p in sources(*folders)}
    long = {str(path.relative_to(ROOT)): n for path, n in lengths.items() if n > most}
    assert long == {}


def test_the_settings_flower_may_override_are_the_defaults():
    def dotted(tree, prefix=""):
        for key, value in tree.items():
            if isinstance(value, dict):
                yield from dotted(value, f"{prefix}{key}.")
            else:
                yield prefix + key, value

    told = dict(dotted(PROJECT["tool"]["flwr"]["app"]["config"]))
    defaults = flatten(RunConfig())
    assert told == defaults
    assert {k: type(v) for k, v in told.items()} == {k: type(v) for k, v in defaults.items()}


def test_there_is_one_version():
    assert PROJECT["project"]["version"] == __version__


def test_only_command_lines_print():
    printing = [
        str(path.relative_to(ROOT))
        for path in sources(*PACKAGES)
        if path.name != "cli.py" and "\n    print(" in path.read_text(encoding="utf-8")
    ]
    assert printing == []


def test_annotations_are_not_postponed():
    """Shape checks at run time read them."""
    words = "from __future__ import " + "annotations"
    assert [p for p in sources(*PACKAGES) if words in p.read_text(encoding="utf-8")] == []


@pytest.mark.parametrize("app", ["serverapp", "clientapp"])
def test_the_apps_that_flower_starts_exist(app):
    module, name = PROJECT["tool"]["flwr"]["app"]["components"][app].split(":")
    source = (ROOT / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8")
    assert f"\n{name} = " in source


@pytest.mark.parametrize("package", ["server", "client"])
def test_packages_that_flower_imports_first_are_light(package):
    code = f"import sys, {package}; sys.exit('torch' in sys.modules or 'flwr' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
