"""Errors of privacy, each a sentence: what was needed, what came, what to do.

PrivacyError
├── BudgetExhaustedError   the next charge would pass the site's limit
└── LedgerError            the ledger cannot be trusted or written: nothing may be trained
"""


class PrivacyError(ValueError):
    """Something was about to happen that the site's privacy rules do not allow.

    Args:
        message: The whole sentence; it names a release, a rule or a file, never a value of a
            patient.
        public: The sentence that may leave the site; the message unless a path stands in it.

    Source: own.
    """

    def __init__(self, message: str, *, public: str | None = None) -> None:
        super().__init__(message)
        self.public = public or message


class BudgetExhaustedError(PrivacyError):
    """The next charge would pass the limit that the site's policy sets."""


class LedgerError(PrivacyError):
    """The ledger is not what it was, or cannot be written; nothing may be trained."""

    def __init__(self, message: str) -> None:
        super().__init__(message, public="The site's privacy ledger cannot be used; see its log.")
