"""The row of the Pipeline dashboard on what was sealed, and on the credentials."""

from collections.abc import Iterator

from grafana.panels import Panel, Query, Words, figure, lines
from grafana.queries import gauge


def seal_panels() -> Iterator[Panel]:
    """Yield what verifying found, how old that is, and when credentials end."""
    yield figure(
        Words(
            "Problems that verifying found",
            "In run folders (runs), or in run folders and audit store (audit).",
            "none",
            ("SealBroken",),
        ),
        Query(gauge("verification_problems", by="kind"), "{{kind}}"),
        width=8,
        no_value="never verified",
    )
    yield figure(
        Words(
            "Everything verified",
            "How long ago tapewatch verify --all (runs) and audit verify (audit) ended.",
            "s",
            ("SealBroken",),
        ),
        Query(f"time() - {gauge('verification_timestamp_seconds', by='kind')}", "{{kind}}"),
        width=8,
        no_value="never",
    )
    yield figure(
        Words(
            "Chain broken",
            "1: the run before the served one was rewritten after it was compared to it.",
            "none",
            ("SealBroken",),
        ),
        Query(gauge("chain_broken")),
        width=8,
        no_value="no run before",
    )
    ends = gauge("credential_expiry_timestamp_seconds", by="credential")
    yield lines(
        Words(
            "Credentials have left",
            "Until each expires or is to be replaced, against the lines; only those with a date.",
            "s",
            ("CredentialExpiring",),
        ),
        Query(f"{ends} - time()", "{{credential}}"),
        thresholds=gauge(
            "pipeline_threshold", 'metric="credential_remaining_seconds"', by="severity"
        ),
        width=24,
    )
