"""JSON as this project writes it: one spelling for one value, and never NaN."""

import hashlib
import json
from collections.abc import Mapping
from typing import TypeAlias

from pydantic import JsonValue

from settings.errors import InternalError

JsonObject: TypeAlias = Mapping[str, JsonValue]


def canonical_json(value: object) -> bytes:
    """Return the one spelling of `value`: sorted keys, no spaces, ASCII; for hashing.

    Raises:
        InternalError: The value holds NaN, infinity or a type JSON does not have.
    """
    return _dump(value, sort_keys=True, separators=(",", ":"))


def canonical_sha256(value: object) -> str:
    """Return the sha256 of the one spelling of `value`, as hex.

    Raises:
        InternalError: The value holds NaN, infinity or a type JSON does not have.
    """
    return hashlib.sha256(canonical_json(value)).hexdigest()


def line_json(value: object) -> bytes:
    """Return `value` on one line, keys in their own order.

    Raises:
        InternalError: The value holds NaN, infinity or a type JSON does not have.
    """
    return _dump(value) + b"\n"


def pretty_json(value: object) -> bytes:
    """Return `value` indented for a person, keys in their own order.

    Raises:
        InternalError: The value holds NaN, infinity or a type JSON does not have.
    """
    return _dump(value, indent=1) + b"\n"


def _dump(
    value: object,
    *,
    sort_keys: bool = False,
    separators: tuple[str, str] | None = None,
    indent: int | None = None,
) -> bytes:
    try:
        text = json.dumps(
            value, sort_keys=sort_keys, separators=separators, indent=indent, allow_nan=False
        )
    except (TypeError, ValueError) as error:
        raise InternalError(
            f"a value cannot be written as JSON: {type(error).__name__}",
            fix="pass strings for money and dates, None for what is unknown",
        ) from error
    return text.encode("ascii")
