"""Errors a person can cause, each a sentence: what was needed, what came, what to do.

ConcordError
├── ConfigError        a setting that is unknown, of the wrong type or out of range
├── SiteError          a hospital's folder that cannot be used as it is
├── FederationError    sites that cannot train together
├── ModelFileError     a model file that does not fit its use
└── OutputError        a file that cannot be written
"""


class ConcordError(ValueError):
    """Base of every error a person can cause.

    Args:
        message: The whole sentence, shown on the machine where the error arose.
        public: The sentence that may leave the site: no file name, no identifier, no value of
            a patient. Defaults to a sentence without any detail.

    Source: own.
    """

    def __init__(self, message: str, *, public: str | None = None) -> None:
        super().__init__(message)
        self.public = public or f"{type(self).__name__}: see the log at the site."


class ConfigError(ConcordError):
    """A setting that is unknown, of the wrong type or out of range."""


class SiteError(ConcordError):
    """A hospital's folder that cannot be used as it is."""


class FederationError(ConcordError):
    """Sites that cannot train together; the message holds no patient data."""

    def __init__(self, message: str) -> None:
        super().__init__(message, public=message)


class ModelFileError(ConcordError):
    """A model file that does not fit its use."""


class OutputError(ConcordError):
    """A file that cannot be written: a full disk, a folder without rights or no longer there."""
