"""Metrics of what is published, alert rules over them, and where alerts go."""
