"""Which models serve: a champion, a canary for a share of the accounts, and shadows that only watch."""

from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

BUCKETS = 10_000


class Stage(StrEnum):
    """What a deployed model does: decide, decide for a share of the accounts, or only be recorded beside."""

    CHAMPION = "champion"
    CANARY = "canary"
    SHADOW = "shadow"


@dataclass(frozen=True, slots=True)
class Canary:
    """A model that decides for `share` of 10,000 accounts. With the same salt a larger share keeps who was in."""

    model_version: str
    share: int
    salt: str

    def __post_init__(self) -> None:
        if not 0 <= self.share <= BUCKETS:
            raise ValueError("a canary's share lies between 0 and 10,000")

    def takes(self, account_id: str) -> bool:
        """Whether it decides for this account."""
        return bucket(self.salt, account_id) < self.share


@dataclass(frozen=True, slots=True)
class Deployments:
    """The versions in service; without a champion the model that score was started with is it."""

    champion: str | None = None
    canary: Canary | None = None
    shadows: tuple[str, ...] = ()

    @property
    def versions(self) -> frozenset[str]:
        """All that must be loaded."""
        named = (self.champion, self.canary and self.canary.model_version, *self.shadows)
        return frozenset(version for version in named if version)

    def stage(self, version: str) -> Stage:
        """What one of `versions` does."""
        if version == self.champion:
            return Stage.CHAMPION
        return Stage.SHADOW if version in self.shadows else Stage.CANARY


def bucket(salt: str, account_id: str) -> int:
    """The account's place among 10,000: SHA-256 of salt and account id, as a number, modulo 10,000."""
    return int.from_bytes(sha256(f"{salt}{account_id}".encode()).digest()) % BUCKETS
