"""Errors a caller acts upon; a class's docstring is its default message."""


class FraudSenseError(Exception):
    """Something went wrong in FraudSense."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


class BrokerUnavailable(FraudSenseError):
    """The queue did not confirm the message; it may or may not have been stored. Publish it again."""


class EnvelopeRefused(FraudSenseError):
    """The queue will never take this message (too large, or not routable). Do not try again."""


class NewerEnvelope(FraudSenseError):
    """The envelope's version is newer than this reader; put it back for a newer one."""


class UnreadableEnvelope(FraudSenseError):
    """The message is not an envelope."""


class HistoryUnavailable(FraudSenseError):
    """Redis did not answer; without the account's history nothing is scored."""


class DatabaseUnavailable(FraudSenseError):
    """PostgreSQL did not answer; nothing of the batch was recorded, or it may have been: record it again."""


class FeedUnavailable(FraudSenseError):
    """Redis did not take the announcement; the alert stays unannounced and the sweeper takes it."""


class ModelInvalid(FraudSenseError):
    """The model folder is missing, altered or does not match this version of the code."""


class RulesInvalid(ModelInvalid):
    """The rules file makes no sense; the message names each mistake with its line."""


class LifeCycleViolation(FraudSenseError):
    """The alert's present status does not allow this action."""
