"""Errors of privacy: what was about to leave and must not."""


class PrivacyError(ValueError):
    """Something that is not on the list of releases was about to leave the site.

    Args:
        message: The whole sentence; it names the release, never a value.

    Source: own.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.public = message
