import json
import socket
import ssl
import stat
import threading
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509

from fusion.errors import ConfigError
from server.certificates import make_certificates
from server.cli import main

HOSTS = ("Concord.Example.org", "10.1.2.3", "2001:db8::1")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_certificates(tmp_path_factory.mktemp("tls") / "new", hosts=HOSTS, days=30)


def read(path):
    return x509.load_pem_x509_certificate(path.read_bytes())


def greet(made, *, name, trusted=None):
    """Shake hands over TLS as a hospital does: full verification, host name included."""
    ours, theirs = socket.socketpair()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(made.certificate, made.key)
    client = ssl.create_default_context(cafile=str(trusted or made.authority))
    client.verify_flags |= ssl.VERIFY_X509_STRICT

    def answer():
        try:
            server.wrap_socket(theirs, server_side=True).close()
        except (ssl.SSLError, OSError):
            theirs.close()

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        client.wrap_socket(ours, server_hostname=name).close()
    finally:
        ours.close()
        thread.join()


@pytest.mark.parametrize(
    "name", ["concord.example.org", "10.1.2.3", "2001:db8::1", "localhost", "127.0.0.1"]
)
def test_a_hospital_that_trusts_the_authority_accepts_each_host(made, name):
    greet(made, name=name)


@pytest.mark.parametrize("name", ["other.example.org", "10.1.2.4", "example.org"])
def test_another_host_is_refused(made, name):
    with pytest.raises(ssl.SSLCertVerificationError, match=r"match|mismatch|not valid"):
        greet(made, name=name)


def test_another_authority_is_refused(made, tmp_path):
    other = make_certificates(tmp_path, hosts=HOSTS, days=30)
    with pytest.raises(ssl.SSLCertVerificationError, match="certificate verify failed"):
        greet(made, name="10.1.2.3", trusted=other.authority)


def test_names_and_addresses_are_told_apart(made):
    names = read(made.certificate).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert names.value.get_values_for_type(x509.DNSName) == ["concord.example.org", "localhost"]
    addresses = ["10.1.2.3", "2001:db8::1", "127.0.0.1"]
    assert names.value.get_values_for_type(x509.IPAddress) == [*map(ip_address, addresses)]


def test_the_server_cannot_sign_and_the_authority_can_only_sign_servers(made):
    limits = [
        read(path).extensions.get_extension_for_class(x509.BasicConstraints).value
        for path in (made.certificate, made.authority)
    ]
    assert [(limit.ca, limit.path_length) for limit in limits] == [(False, None), (True, 0)]


def test_the_certificate_ends_after_the_days_asked_for(made):
    left = read(made.certificate).not_valid_after_utc - datetime.now(UTC)
    assert timedelta(days=29, hours=23) < left <= timedelta(days=30)
    assert made.expires == read(made.certificate).not_valid_after_utc.date().isoformat()


def test_the_authoritys_key_lies_apart_and_keys_are_for_their_owner(made):
    assert made.authority_key.parent != made.key.parent
    for key in (made.authority_key, made.key):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_an_authority_signs_again_and_hospitals_need_nothing_new(made, tmp_path):
    again = make_certificates(
        tmp_path, hosts=["new.example.org"], days=30, authority=made.authority_key.parent
    )
    assert again.authority.read_bytes() == made.authority.read_bytes()
    assert again.key.read_bytes() != made.key.read_bytes()
    assert not (tmp_path / "authority").exists()
    greet(again, name="new.example.org", trusted=made.authority)


def test_files_are_never_replaced(made):
    before = made.key.read_bytes()
    with pytest.raises(ConfigError, match="must go to new files"):
        make_certificates(made.key.parent, hosts=HOSTS, days=30)
    assert made.key.read_bytes() == before


@pytest.mark.parametrize(
    "host", ["", "https://a.org", "a.org:443", "*.a.org", "-a.org", "a..org", "10.1.2", "a b"]
)
def test_what_is_no_host_is_refused(tmp_path, host):
    with pytest.raises(ConfigError, match="--host must be a name or an IP address"):
        make_certificates(tmp_path, hosts=[host], days=30)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("days", "told"), [(0, "at least 1, got 0"), (4000, "end before the authority does")]
)
def test_a_time_that_does_not_fit_is_refused(tmp_path, days, told):
    with pytest.raises(ConfigError, match=f"--days must .*{told}"):
        make_certificates(tmp_path, hosts=HOSTS, days=days)


def test_an_authority_that_is_none_is_refused(made, tmp_path):
    with pytest.raises(ConfigError, match=r"--authority must be a folder with ca.crt and ca.key"):
        make_certificates(tmp_path / "new", hosts=HOSTS, days=9, authority=tmp_path)
    (tmp_path / "ca.crt").write_bytes(made.authority.read_bytes())
    (tmp_path / "ca.key").write_bytes(made.key.read_bytes())
    with pytest.raises(ConfigError, match="--authority must hold one key and its certificate"):
        make_certificates(tmp_path / "new", hosts=HOSTS, days=9, authority=tmp_path)


def test_the_command_says_who_gets_what(tmp_path, capsys):
    words = ["certificates", "--host", "a.org", "--host", "10.1.2.3", "--out", str(tmp_path / "t")]
    assert main(words) == 0
    told = capsys.readouterr().out
    assert f"{tmp_path / 't' / 'ca.crt'}  give to every hospital" in told
    assert "Valid for a.org, 10.1.2.3, localhost, 127.0.0.1 until" in told


def test_the_command_speaks_json(tmp_path, capsys):
    words = ["certificates", "--host", "a.org", "--out", str(tmp_path / "t"), "--json"]
    assert main(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["hosts"] == ["a.org", "localhost", "127.0.0.1"]
    assert told["key"] == str(tmp_path / "t" / "server.key")
    assert main(words) == 2
    assert capsys.readouterr().err.startswith("error: Keys and certificates must go to new files")
