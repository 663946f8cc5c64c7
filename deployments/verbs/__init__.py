"""The commands of `tapewatch` by topic: their options and helps; commands/ does the work."""
