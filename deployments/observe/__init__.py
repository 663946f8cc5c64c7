"""The programs around the exporter, run on this machine: to look at, and to practise alerts."""
