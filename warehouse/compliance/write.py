"""Write the compliance report of a month as a page for people and as JSON for programs."""

from pathlib import Path

from pydantic import TypeAdapter

from warehouse.compliance.facts import ComplianceFacts
from warehouse.compliance.page import render_compliance
from warehouse.durable import durable_write, make_folder
from warehouse.json_text import JsonObject, pretty_json
from warehouse.layout import Layout

_FACTS = TypeAdapter(ComplianceFacts)


def compliance_document(facts: ComplianceFacts) -> JsonObject:
    """Return the facts as JSON has them."""
    return _FACTS.dump_python(facts, mode="json")


def write_compliance(facts: ComplianceFacts, layout: Layout) -> tuple[Path, Path]:
    """Write the page and the JSON of a month, over older ones; return their paths.

    Raises:
        StorageError: The disk refused.
    """
    folder = make_folder(layout.compliance / layout.book)
    page, document = (folder / f"{facts.month.name}.{end}" for end in ("html", "json"))
    durable_write(document, pretty_json(compliance_document(facts)))
    durable_write(page, render_compliance(facts))
    return page, document
