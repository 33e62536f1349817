"""TLS for the coordinator: an authority that the hospitals trust, and the server's certificate."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from fusion.errors import ConfigError
from fusion.new_files import write_new

LOOPBACK = ("localhost", "127.0.0.1")
"""Always in the certificate: the SuperLink itself listens on loopback only."""

AUTHORITY_DAYS = 3650
# Clocks of hospitals differ; a certificate made a moment ago must not be "not yet valid" there.
_EARLIER = timedelta(hours=1)
_HOST = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*")


@dataclass(frozen=True)
class Certificates:
    """The files of a coordinator's TLS.

    Attributes:
        authority: `ca.crt`, which every hospital gets.
        authority_key: Signs further certificates; keep it off the server. Mode 0600.
        certificate: `server.crt`.
        key: `server.key`, mode 0600.
        hosts: Names and addresses in the certificate.
        expires: Last day of the server's certificate, ISO.

    Source: own.
    """

    authority: Path
    authority_key: Path
    certificate: Path
    key: Path
    hosts: tuple[str, ...]
    expires: str


@dataclass(frozen=True)
class _Authority:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def make_certificates(
    out: Path, *, hosts: Sequence[str], days: int, authority: Path | None = None
) -> Certificates:
    """Write a certificate for the coordinator, and the authority that signed it.

    Args:
        out: Folder; made if it does not exist.
        hosts: Names or IP addresses under which the hospitals reach the coordinator.
        days: How long the server's certificate holds.
        authority: Folder with `ca.crt` and `ca.key` of an earlier call, to sign with; the
            hospitals then need nothing new. None = a new authority, valid for ten years.

    Returns:
        Where the files lie.

    Raises:
        ConfigError: A host is none, the time is not positive or outlives the authority, the
            authority cannot be read, or a file exists.

    Source: own; X.509 after RFC 5280, names after RFC 6125.
    """
    named = tuple(dict.fromkeys([*map(_host, hosts), *LOOPBACK]))
    signer = _read_authority(authority) if authority else _new_authority()
    expires = _expiry(days, signer)
    key = ec.generate_private_key(ec.SECP384R1())
    certificate = _server_certificate(key, signer, named, expires)
    made = Certificates(
        authority=out / "ca.crt",
        authority_key=authority / "ca.key" if authority else out / "authority" / "ca.key",
        certificate=out / "server.crt",
        key=out / "server.key",
        hosts=named,
        expires=expires.date().isoformat(),
    )
    files = {made.certificate: _pem(certificate), made.key: _private_pem(key)}
    files[made.authority] = _pem(signer.certificate)
    if authority is None:
        files[made.authority_key] = _private_pem(signer.key)
        files[made.authority_key.with_name("ca.crt")] = _pem(signer.certificate)
    write_new(files, secret=[made.key, made.authority_key])
    return made


def _host(text: str) -> str:
    """Return a host as it is written in a certificate."""
    host = text.strip().rstrip(".").lower()
    try:
        return str(ip_address(host))
    except ValueError:
        pass
    if not _HOST.fullmatch(host) or len(host) > 253 or host.replace(".", "").isdigit():
        raise ConfigError(
            f"--host must be a name or an IP address, got '{text}'. Leave out 'https://' and the "
            "port; give --host once for each name."
        )
    return host


def _expiry(days: int, signer: _Authority) -> datetime:
    if days < 1:
        raise ConfigError(f"--days must be at least 1, got {days}. 365 is usual.")
    expires = datetime.now(UTC) + timedelta(days=days)
    last = signer.certificate.not_valid_after_utc
    if expires > last:
        raise ConfigError(
            f"--days must end before the authority does, on {last.date()}, got {days}. Lower it, "
            "or make a new authority."
        )
    return expires


def _new_authority() -> _Authority:
    key = ec.generate_private_key(ec.SECP384R1())
    name = _name("Concord authority")
    expires = datetime.now(UTC) + timedelta(days=AUTHORITY_DAYS)
    builder = _builder(name, name, key, expires)
    limits = x509.BasicConstraints(ca=True, path_length=0)
    builder = builder.add_extension(limits, critical=True)
    builder = builder.add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
    return _Authority(builder.sign(key, hashes.SHA384()), key)


def _server_certificate(
    key: ec.EllipticCurvePrivateKey, signer: _Authority, hosts: Sequence[str], expires: datetime
) -> x509.Certificate:
    builder = _builder(_name("Concord coordinator"), signer.certificate.subject, key, expires)
    names = x509.SubjectAlternativeName([_alternative(host) for host in hosts])
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key())
    for extension, critical in (
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_usage(digital_signature=True), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (names, False),
        (issuer, False),
    ):
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(signer.key, hashes.SHA384())


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, expires: datetime
) -> x509.CertificateBuilder:
    public = key.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - _EARLIER)
        .not_valid_after(expires)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _read_authority(folder: Path) -> _Authority:
    try:
        certificate = x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes())
        key = load_pem_private_key((folder / "ca.key").read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(
            f"--authority must be a folder with ca.crt and ca.key, got '{folder}' "
            f"({type(error).__name__}). Name the folder `authority` of an earlier call."
        ) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or (
        key.public_key() != certificate.public_key()
    ):
        raise ConfigError(
            f"--authority must hold one key and its certificate, got two that do not fit in "
            f"'{folder}'. Name the folder `authority` of an earlier call."
        )
    return _Authority(certificate, key)


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _usage(**allowed: bool) -> x509.KeyUsage:
    """Return what a key may be used for: only what is named."""
    purposes = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
        "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{purpose: allowed.get(purpose, False) for purpose in purposes})


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
