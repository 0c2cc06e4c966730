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
#: What an authority's key is for.
SIGNS = x509.KeyUsage(
    key_cert_sign=True, crl_sign=True, digital_signature=False, content_commitment=False, key_encipherment=False,
    data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
)  # fmt: skip


class Authority:
    """Whom a client trusts that has `path` in SSL_CERT_FILE. directory: takes the PEM files."""

    def __init__(self, directory, name="Vestri's test authority"):
        self._directory, self._name, self._key = directory, _named(name), ec.generate_private_key(ec.SECP256R1())
        own = self._certificate(self._name, self._key, until=NOW + DAY)
        own = own.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self._own = own.add_extension(SIGNS, critical=True).sign(self._key, hashes.SHA256())
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
        """With the extensions without which Python 3.13 trusts nobody (RFC 5280 section 4.2)."""
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(self._name).public_key(key.public_key())
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = builder.add_extension(issuer, critical=False).serial_number(x509.random_serial_number())
        return builder.not_valid_before(NOW - 2 * DAY).not_valid_after(until)

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
