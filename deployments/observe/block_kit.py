"""What Slack would refuse of a message: Block Kit's limits, written down apart from our code."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

_BLOCKS_MAX = 50
_TEXT_MAX = 40_000
_LIMITS = {"header": 150, "section": 3_000, "context": 2_000}  # letters of a text, by its block
_FIELDS_MAX, _FIELD_MAX, _ELEMENTS_MAX = 10, 2_000, 10
_KNOWN = {"text", "blocks", "unfurl_links", "unfurl_media", "link_names", "channel"}


def problems_of(payload: Mapping[str, Any]) -> list[str]:
    """Return everything about a message of blocks that Slack would not take; [] for a good one."""
    return list(_problems(payload))


def _problems(payload: Mapping[str, Any]) -> Iterator[str]:
    text, blocks = payload.get("text"), payload.get("blocks")
    if not isinstance(text, str) or not 0 < len(text) <= _TEXT_MAX:
        yield "no_text"
    if unknown := payload.keys() - _KNOWN:
        yield f"unknown fields: {sorted(unknown)}"
    if not isinstance(blocks, list) or not 0 < len(cast("list[Any]", blocks)) <= _BLOCKS_MAX:
        yield "invalid_blocks: between 1 and 50"
        return
    for number, block in enumerate(cast("list[dict[str, Any]]", blocks)):
        for problem in _block_problems(block):
            yield f"block {number}: {problem}"


def _block_problems(block: Mapping[str, Any]) -> Iterator[str]:
    kind = block.get("type")
    if kind == "context":
        yield from _context_problems(block)
    elif kind in _LIMITS:
        yield from _section_problems(block, _LIMITS[kind])
    elif kind != "divider":
        yield f"type {kind!r}"


def _context_problems(block: Mapping[str, Any]) -> Iterator[str]:
    elements = block.get("elements", [])
    if not 0 < len(elements) <= _ELEMENTS_MAX:
        yield "between 1 and 10 elements"
    for element in elements:
        yield from _text_problems(element, _LIMITS["context"])


def _section_problems(block: Mapping[str, Any], limit: int) -> Iterator[str]:
    fields = block.get("fields", [])
    if "text" not in block and not fields:
        yield "neither text nor fields"
    if "text" in block:
        if block["type"] == "header" and block["text"].get("type") != "plain_text":
            yield "a header is plain text"
        yield from _text_problems(block["text"], limit)
    if len(fields) > _FIELDS_MAX:
        yield "more than 10 fields"
    for field in fields:
        yield from _text_problems(field, _FIELD_MAX)


def _text_problems(element: Mapping[str, Any], limit: int) -> Iterator[str]:
    text = element.get("text")
    if element.get("type") not in ("plain_text", "mrkdwn"):
        yield f"text of type {element.get('type')!r}"
    if element.get("type") == "mrkdwn" and "emoji" in element:
        yield "emoji is for plain text"
    if element.get("type") == "plain_text" and "verbatim" in element:
        yield "verbatim is for mrkdwn"
    if not isinstance(text, str) or not 0 < len(text) <= limit:
        yield f"a text of 1 to {limit} letters, not {len(text or '')}"
