import json
import shutil
import stat
import subprocess

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_ssh_private_key, load_ssh_public_key

from client.cli import main
from client.keys import make_keys
from fusion.errors import ConfigError


def test_a_key_is_what_flowers_supernode_reads(tmp_path):
    pair = make_keys(tmp_path / "keys", name="lyon")
    private = load_ssh_private_key(pair.private.read_bytes(), None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    assert private.curve.name == "secp384r1"
    assert load_ssh_public_key(pair.public.read_bytes()) == private.public_key()
    assert pair.public.read_text().endswith(" lyon\n")


def test_the_private_half_is_for_its_owner_alone(tmp_path):
    pair = make_keys(tmp_path, name="lyon")
    assert stat.S_IMODE(pair.private.stat().st_mode) == 0o600
    assert b"PRIVATE" not in pair.public.read_bytes()


def test_every_key_is_another(tmp_path):
    one, other = (make_keys(tmp_path / name, name="lyon") for name in "ab")
    assert one.fingerprint != other.fingerprint
    assert one.private.read_bytes() != other.private.read_bytes()


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen")
def test_the_fingerprint_is_the_one_ssh_keygen_prints(tmp_path):
    pair = make_keys(tmp_path, name="lyon")
    words = ["ssh-keygen", "-lf", str(pair.public)]
    told = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert told.split() == ["384", pair.fingerprint, "lyon", "(ECDSA)"]


def test_a_key_is_never_replaced(tmp_path):
    before = make_keys(tmp_path, name="lyon").private.read_bytes()
    with pytest.raises(ConfigError, match="must go to new files"):
        make_keys(tmp_path, name="lyon")
    assert (tmp_path / "lyon.key").read_bytes() == before


@pytest.mark.parametrize("name", ["", "../lyon", "lyon hospital", ".hidden"])
def test_a_name_that_is_no_file_name_is_refused(tmp_path, name):
    with pytest.raises(ConfigError, match="--name must be letters, digits"):
        make_keys(tmp_path, name=name)
    assert list(tmp_path.iterdir()) == []


def test_the_command_says_what_to_send_and_what_never(tmp_path, capsys):
    assert main(["keys", "--out", str(tmp_path), "--name", "lyon"]) == 0
    told = capsys.readouterr().out
    assert f"Send to the coordinator: {tmp_path / 'lyon.pub'}\n" in told
    assert f"Never send: {tmp_path / 'lyon.key'}\n" in told
    assert "SHA256:" in told


def test_the_command_speaks_json(tmp_path, capsys):
    assert main(["keys", "--out", str(tmp_path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["public"] == str(tmp_path / "site.pub")
    assert set(told) == {"private", "public", "fingerprint"}
    assert main(["keys", "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("error: Keys and certificates must go to new files")
