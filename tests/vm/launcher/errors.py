"""The one exception that ends the launcher with a plain sentence instead of a traceback."""


class LauncherError(Exception):
    """Something about the machine or the request is wrong; the text says what, and the remedy."""
