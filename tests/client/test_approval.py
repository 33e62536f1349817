import zipfile

import pytest

from client.approval import approve, check_approved, compare, revoke
from client.bundles import LARGEST, installed_files, read_bundle
from client.cli import main
from fusion.errors import ConfigError
from privacy.errors import PrivacyError
from tests.architecture.test_layers import ROOT

PROJECT = {"pyproject.toml": "[project]\n", ".info/CONTENT": "a list of Flower's own"}
OURS = {name: text.decode() for name, text in installed_files(ROOT).items()}


def packed(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


@pytest.fixture
def site(tmp_path):
    (tmp_path / "lyon").mkdir()
    return tmp_path / "lyon"


@pytest.fixture
def bundle(tmp_path):
    return packed(tmp_path / "app.fab", PROJECT | OURS)


def test_the_installed_code_as_a_bundle_differs_in_nothing(bundle, site):
    reading = compare(bundle, site)
    assert (reading.lines, reading.changed, reading.approved) == ((), 0, False)
    assert reading.baseline == "the installed files"
    assert ".info/CONTENT" not in reading.bundle.files


def test_what_changed_since_the_last_approval_is_shown_line_by_line(tmp_path, bundle, site):
    approve(bundle, site)
    changed = OURS | {
        "client/app.py": OURS["client/app.py"] + "print('hello')\n",
        "client/x.py": "y",
    }
    reading = compare(packed(tmp_path / "new.fab", PROJECT | changed), site)
    assert reading.changed == 2
    assert "+print('hello')" in reading.lines
    assert "+++ after/client/x.py" in reading.lines
    assert reading.baseline.startswith("the bundle approved last, ")


def test_only_the_approved_bytes_may_run(bundle, site):
    with pytest.raises(PrivacyError, match="must be approved by the site before it runs"):
        check_approved(bundle.read_bytes(), site)
    approve(bundle, site)
    check_approved(bundle.read_bytes(), site)
    with pytest.raises(PrivacyError, match="must be approved"):
        check_approved(bundle.read_bytes() + b"x", site)


def test_a_file_under_an_approved_name_with_other_content_approves_nothing(bundle, site):
    kept = approve(bundle, site)
    other = bundle.read_bytes() + b"x"
    kept.write_bytes(other)
    with pytest.raises(PrivacyError, match="must be approved"):
        check_approved(bundle.read_bytes(), site)
    with pytest.raises(PrivacyError, match="must be approved"):
        check_approved(other, site)


def test_a_revoked_bundle_may_not_run(bundle, site):
    sha256 = read_bundle(bundle).sha256
    approve(bundle, site)
    revoke(sha256[:10], site)
    with pytest.raises(PrivacyError, match="must be approved"):
        check_approved(bundle.read_bytes(), site)
    with pytest.raises(ConfigError, match="must be the hash of one approved bundle"):
        revoke(sha256[:10], site)


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (None, "File is not a zip file"),
        ({"client/app.py": ""}, "no pyproject.toml"),
        (PROJECT | {"../out.py": ""}, "the file name '../out.py'"),
        (PROJECT | {"/etc/x.py": ""}, "the file name '/etc/x.py'"),
        (PROJECT | {"big.py": "0" * (LARGEST + 1)}, "more than 64 MiB"),
    ],
)
def test_a_file_that_is_no_bundle_is_refused(tmp_path, site, files, told):
    path = tmp_path / "bad.fab"
    if files is None:
        path.write_bytes(b"no zip")
    else:
        packed(path, files)
    for act in (approve, compare):
        with pytest.raises(ConfigError, match=told):
            act(path, site)


def test_a_bundle_that_was_damaged_on_its_way_is_refused(tmp_path, site):
    path = tmp_path / "bad.fab"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("pyproject.toml", "[project]\n" * 100)
    content = bytearray(path.read_bytes())
    content[46:52] = b"\xff" * 6  # inside the packed text
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"must be a \.fab file"):
        approve(path, site)


def test_an_encrypted_bundle_is_refused(tmp_path, bundle, site):
    content = bytearray(bundle.read_bytes())
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    path = tmp_path / "bad.fab"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="encrypted files"):
        approve(path, site)


def test_the_command_shows_first_and_approves_when_told(bundle, site, capsys):
    assert main(["approve", str(bundle), "--site", str(site)]) == 1
    out = capsys.readouterr().out
    assert read_bundle(bundle).sha256 in out
    assert "Not approved; --yes does it." in out
    assert main(["approve", str(bundle), "--site", str(site), "--yes"]) == 0
    assert main(["approve", str(bundle), "--site", str(site)]) == 0
    assert "It may run here." in capsys.readouterr().out
    sha256 = read_bundle(bundle).sha256
    assert main(["approve", "--site", str(site), "--revoke", sha256]) == 0
    assert main(["approve", "--site", str(site)]) == 2
    assert "must have a bundle or --revoke" in capsys.readouterr().err
