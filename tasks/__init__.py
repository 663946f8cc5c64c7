"""The retrying steps: thin, they log, count and call the warehouse."""
