"""Typed connections with their secrets: a Prefect block each, its client in `clients`."""
