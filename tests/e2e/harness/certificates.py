"""An authority of the test run, and certificates of it as the PEM files that a site file names."""

import itertools
from dataclasses import dataclass
from pathlib import Path

import trustme

RSA, ECDSA = trustme.KeyType.RSA, trustme.KeyType.ECDSA


@dataclass(frozen=True)
class Certificate:
    """Where its PEM files are."""

    chain: Path
    key: Path


class Authority:
    """Everything it writes is below `directory`; `pem` is its own certificate, which clients are to trust."""

    def __init__(self, directory):
        self.directory = directory
        self.pem = directory / "authority.pem"
        self._authority = trustme.CA()
        self._authority.cert_pem.write_to_path(self.pem)
        self._numbers = itertools.count()

    def issue(self, *names, key_type=ECDSA):
        """A certificate for these names, the first of which may be a wildcard."""
        issued = self._authority.issue_cert(*names, key_type=key_type)
        number = next(self._numbers)
        certificate = Certificate(self.directory / f"chain-{number}.pem", self.directory / f"key-{number}.pem")
        for pem in issued.cert_chain_pems:
            pem.write_to_path(certificate.chain, append=True)
        issued.private_key_pem.write_to_path(certificate.key)
        return certificate

    @staticmethod
    def tls_table(*certificates, **keys):
        """The end of a site file: [tls] with these keys, written as TOML, and these certificates."""
        lines = ["", "[tls]", *(f"{name} = {value}" for name, value in keys.items())]
        for certificate in certificates:
            lines += ["[[tls.certificate]]", f'chain = "{certificate.chain}"', f'key = "{certificate.key}"']
        return "\n".join(lines) + "\n"
