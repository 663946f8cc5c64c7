"""What each command of the command line does; `deployments.cli` lists them."""
