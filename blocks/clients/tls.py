"""How a client trusts a server: the public authorities, and one more if it is named."""

import ssl
from pathlib import Path

import httpx


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """Return a context that verifies always, by TLS 1.2 or later, whatever the environment says.

    Raises:
        OSError: `ca_file` is not a readable file of certificates.
    """
    context = httpx.create_ssl_context(trust_env=False)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return context
