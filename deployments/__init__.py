"""How people and schedulers start Tapewatch: the command line and the process entry points."""
