"""Who runs this process, for records that say who did something."""

import getpass
import os


def user_name() -> str:
    """Return the user's name, or their number where they have none, as in a container."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"
