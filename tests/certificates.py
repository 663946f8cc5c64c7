"""Certificates that sign themselves, for the TLS tests on loopback."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Certificate:
    """A PEM file of one certificate, and that of its key."""

    file: Path
    key: Path


def make_certificate(folder: Path, name: str, days: str = "1") -> Certificate:
    """Make the certificate of `name`, such as IP:127.0.0.1 or DNS:db.example.com."""
    made = Certificate(folder / "cert.pem", folder / "key.pem")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt"]
    command += ["ec_paramgen_curve:prime256v1", "-nodes", "-days", days, "-subj", "/CN=trial"]
    command += ["-addext", f"subjectAltName={name}"]
    command += ["-keyout", str(made.key), "-out", str(made.file)]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603
    return made
