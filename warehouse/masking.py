"""Keyed pseudonyms: the same key gives the same one, without the key none can be guessed."""

import hashlib
import hmac

_BLOCK_BYTES = 64  # of SHA-256, RFC 2104
_SHOWN_HEX = 12


def hmac_pads(key: bytes) -> dict[str, bytes]:
    """Return the two padded key blocks that `pseudonym` in SQL hashes with (RFC 2104)."""
    block = key if len(key) <= _BLOCK_BYTES else hashlib.sha256(key).digest()
    block = block.ljust(_BLOCK_BYTES, b"\0")
    return {
        "hmac_inner": bytes(byte ^ 0x36 for byte in block),
        "hmac_outer": bytes(byte ^ 0x5C for byte in block),
    }


def mask_id(key: bytes, identifier: str | None) -> str | None:
    """Return how an id is shown to people: stable under one key, telling nothing without it."""
    if identifier is None:
        return None
    digest = hmac.new(key, identifier.encode("utf-8", "surrogateescape"), "sha256")
    return f"#{digest.hexdigest()[:_SHOWN_HEX]}"
