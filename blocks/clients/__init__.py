"""Clients of the systems around Tapewatch, without Prefect."""
