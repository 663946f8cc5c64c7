"""Our own kinds of secret, for detect-secrets: what its plugins do not know."""

import re

from detect_secrets.plugins.base import RegexBasedDetector


class TapewatchSecretDetector(RegexBasedDetector):
    """Keys of Supabase, Cascade, PagerDuty and the masking key, by their form or their variable."""

    secret_type = "Tapewatch secret"  # noqa: S105 - the name of the kind

    denylist = (
        re.compile(r"\bsb_(?:secret|publishable)_[A-Za-z0-9_-]{16,}"),
        re.compile(r"\bxox[abeoprs]-[A-Za-z0-9-]{16,}"),
        re.compile(r"hooks\.slack\.com/services/T[A-Z0-9]{8,}/B[A-Z0-9]{8,}/[A-Za-z0-9]{20,}"),
        re.compile(
            r"\b(?:CASCADE_SESSION_COOKIE|SUPABASE_SERVICE_ROLE(?:_KEY)?|PAGERDUTY_ROUTING_KEY"
            r"|TAPEWATCH_PII_KEY)\s*=\s*[\"']?([A-Za-z0-9_.=%-]{20,})"
        ),
    )
