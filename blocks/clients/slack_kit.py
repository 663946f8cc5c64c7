"""Small pieces of a Slack message in which nothing that comes from data can act.

Data is escaped, put into plain text or code, and never interpreted: no link, no mention, no emoji.
Every text is cut to what Block Kit takes.
"""

from collections.abc import Iterable, Sequence
from typing import Any, cast

from slack_sdk.models.blocks import (
    Block,
    ContextBlock,
    HeaderBlock,
    MarkdownTextObject,
    PlainTextObject,
    SectionBlock,
)

HEADER_MAX, SECTION_MAX, CONTEXT_MAX, BLOCKS_MAX = 150, 3000, 2000, 50
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_CUT = "…"


def escape(text: str, limit: int = SECTION_MAX) -> str:
    """Return data as Slack shows it letter by letter, on one line, cut to `limit`."""
    parts: list[str] = []
    left = limit - len(_CUT)
    for letter in " ".join(text.split()):
        part = _ENTITIES.get(letter, letter if letter.isprintable() else "?")
        if len(part) > left:
            return "".join(parts) + _CUT
        parts.append(part)
        left -= len(part)
    return "".join(parts)


def code(text: str, limit: int = 300) -> str:
    """Return data as code, which Slack shows as it is."""
    return f"`{escape(text.replace('`', chr(39)), limit) or ' '}`"


def link(url: str, title: str) -> str:
    """Return a link of the settings; `url` is nothing that a tape can choose."""
    safe = url.replace("&", "&amp;").replace("<", "%3C").replace(">", "%3E").replace("|", "%7C")
    return f"<{safe}|{title}>"


def header(title: str) -> Block:
    """Return the title of a message."""
    return HeaderBlock(text=PlainTextObject(text=escape(title, HEADER_MAX), emoji=True))


def words(lines: Iterable[str]) -> Block:
    """Return our own words in Slack's markup; data in them has been made code or a figure."""
    return SectionBlock(text=MarkdownTextObject(text=_fit(lines, SECTION_MAX), verbatim=True))


def quoted(text: str) -> Block:
    """Return data as plain text."""
    return SectionBlock(text=PlainTextObject(text=escape(text) or "-", emoji=False))


def table(rows: Sequence[Sequence[str]]) -> Block:
    """Return rows with aligned columns; the first row names them, the first column is text."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if number == 0 else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    safe = "\n".join(escape_line(line) for line in lines)
    return SectionBlock(text=MarkdownTextObject(text=f"```{safe}```", verbatim=True))


def escape_line(line: str) -> str:
    """Return a line of a table, its spaces kept."""
    shown = "".join(_ENTITIES.get(letter, letter) for letter in line.replace("`", "'"))
    return "".join(letter if letter.isprintable() else "?" for letter in shown)


def context(texts: Iterable[str]) -> Block:
    """Return a line of small print."""
    text = _fit([" · ".join(texts)], CONTEXT_MAX)
    return ContextBlock(elements=[MarkdownTextObject(text=text, verbatim=True)])


def payload(text: str, blocks: Sequence[Block]) -> dict[str, Any]:
    """Return what Slack is sent; `text` is what a notification shows.

    Links get no preview, and a name with an @ or # before it stays a name.
    """
    return {
        "text": text,
        "blocks": [_plain(block) for block in blocks[:BLOCKS_MAX]],
        "unfurl_links": False,
        "unfurl_media": False,
        "link_names": False,
    }


def _plain(block: Block) -> dict[str, Any]:
    return cast("dict[str, Any]", block.to_dict())  # pyright: ignore[reportUnknownMemberType]


def _fit(lines: Iterable[str], limit: int) -> str:
    """Return as many whole lines as fit; at least one, which then must."""
    kept: list[str] = []
    left = limit - len(_CUT) - 1
    for line in lines:
        if len(line) + 1 > left:
            kept.append(_CUT)
            break
        kept.append(line)
        left -= len(line) + 1
    return "\n".join(kept)
