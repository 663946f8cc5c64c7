"""Draw a page in the frame of all ours: one file that loads nothing, every text in it escaped."""

import hashlib
from base64 import b64encode
from collections.abc import Callable, Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

_HERE = Path(__file__).parent  # the frame, its look and its macros


def draw_page(
    folder: Path,
    filters: Mapping[str, Callable[..., object]],
    told: Mapping[str, object],
    finalize: Callable[[object], object] | None = None,
) -> bytes:
    """Return `page.html` of a folder, drawn; the same facts give the same bytes.

    Args:
        folder: Where it lies; it extends frame.html.
        filters: What it may apply to a value, by name.
        told: What it is about; `verdict` and `sections` are the frame's.
        finalize: What every value goes through last.
    """
    templates = Environment(
        loader=FileSystemLoader([folder, _HERE]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update(filters)
    css = (_HERE / "page.css").read_text(encoding="utf-8")
    look = {
        "css": Markup(css),  # noqa: S704 - ours
        "css_hash": f"sha256-{b64encode(hashlib.sha256(css.encode()).digest()).decode()}",
    }
    page = templates.get_template("page.html").render({**told, **look})
    return page.encode("utf-8", "replace")  # a name from a file system may be no Unicode
