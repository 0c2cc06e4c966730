"""An authority of our own and certificates by it, made when a test wants them."""

from datetime import datetime, timedelta, timezone
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from vestri.transport import ServerCertificate

DAY = timedelta(days=1)
NOW = datetime.now(timezone.utc)


class Authority:
    """Whom a client trusts that has `path` in SSL_CERT_FILE. directory: takes the PEM files."""

    def __init__(self, directory, name="Vestri's test authority"):
        self._directory, self._name, self._key = directory, _named(name), ec.generate_private_key(ec.SECP256R1())
        self._own = self._certificate(self._name, self._key, until=NOW + DAY).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        self._own = self._own.sign(self._key, hashes.SHA256())
        self.path = directory / "authority.pem"
        self.path.write_bytes(_pem(self._own))

    def certify(self, *hosts, expired=False):
        """A `ServerCertificate` for names or addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        until = NOW - DAY if expired else NOW + DAY
        names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
        signed = self._certificate(_named(hosts[0]), key, until).add_extension(names, critical=False)
        chain = _pem(signed.sign(self._key, hashes.SHA256())) + _pem(self._own)
        return ServerCertificate(
            self._kept(f"{hosts[0]}-{until:%j}.pem", chain), self._kept(f"{hosts[0]}.key", _private(key))
        )

    def _certificate(self, name, key, until):
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(self._name).public_key(key.public_key())
        return builder.serial_number(x509.random_serial_number()).not_valid_before(NOW - 2 * DAY).not_valid_after(until)

    def _kept(self, name, data):
        path = self._directory / name
        path.write_bytes(data)
        return str(path)


def _named(name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general_name(host):
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


def _private(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
