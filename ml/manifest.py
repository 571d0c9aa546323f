"""The manifest of a model folder: what a model is, what it was trained on, and the checksums of its files."""

from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from shared.domain.errors import ModelInvalid

FORMAT: Literal[2] = 2
"""Raised whenever an older scorer would misread a newer folder."""

MANIFEST, FOREST, COMBINER = "manifest.json", "forest.npz", "combiner.npz"
RULES, SIGNALS = "rules.yaml", "signals.json"

Mode = Literal["unlabelled", "logistic", "boosted", "logistic-and-unlabelled", "boosted-and-unlabelled"]
"""How forest, rules and features become one risk: by noisy-or, by what labels taught, or by both."""

BOTH: dict[Mode, Mode] = {"logistic": "logistic-and-unlabelled", "boosted": "boosted-and-unlabelled"}
"""What labels taught -> the same beside the noisy-or."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Window(_Part):
    """Days of the training data, both included."""

    first: date
    last: date
    transactions: int


class Knots(_Part):
    """See shared.domain.risk.Calibration."""

    anomalies: tuple[float, ...]
    tails: tuple[float, ...]


class Band(_Part):
    """The risk from which on a label is given, and the share of the training window that was to reach it."""

    threshold: float
    target_rate: float


class Labels(_Part):
    """Labelled transactions of the training window, and each candidate's average precision on its last days."""

    known: int
    frauds: int
    validation: dict[str, float]


class Metrics(_Part):
    """On the labelled days after the training window, ranked by risk.

    Recall at a share is that of the riskiest so many transactions; the HIGH figures are those of the threshold.
    """

    first: date
    last: date
    transactions: int
    frauds: int
    auc: float
    average_precision: float
    recall_at_half_percent: float
    recall_at_one_percent: float
    high_share: float
    high_precision: float


class Parameters(_Part):
    """How the forest was grown."""

    trees: int
    max_samples: int
    seed: int
    scikit_learn: str


class Manifest(_Part):
    """manifest.json.

    `fill_values`, one per feature, stand in for absent data: the training window's medians. `forest_features` are
    those that the forest was grown on. `sha256` names every file that is served.
    """

    format: Literal[2] = FORMAT
    model_version: str
    mode: Mode
    features: tuple[str, ...]
    forest_features: tuple[str, ...]
    fill_values: tuple[float, ...]
    calibration: Knots
    medium: Band
    high: Band
    parameters: Parameters
    training_window: Window
    labels: Labels
    metrics: Metrics | None
    sha256: dict[str, str]

    @property
    def files(self) -> tuple[str, ...]:
        """The files beside the manifest that a scorer needs."""
        return (FOREST, RULES, SIGNALS) if self.mode == "unlabelled" else (FOREST, RULES, SIGNALS, COMBINER)

    def named(self, name: str) -> "Manifest":
        """With the version `<name>-<digest>`: the same trees with other thresholds decide differently."""
        return self.model_copy(update={"model_version": f"{name}-{self._digest()}"})

    @property
    def is_unaltered(self) -> bool:
        """Whether the version still is the one that this content was given."""
        return self.model_version.endswith(f"-{self._digest()}")

    def _digest(self) -> str:
        return checksum(self.model_copy(update={"model_version": ""}).model_dump_json().encode())[:8]


def read_manifest(folder: Path) -> Manifest:
    """The folder's manifest; raises ModelInvalid with a sentence that says what to do."""
    try:
        text = (folder / MANIFEST).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelInvalid(
            f"There is no readable {MANIFEST} in {folder}. Set FRAUDSENSE_MODEL_DIR to a model folder, or train "
            "one: python -m ml train --data FILE --out FOLDER."
        ) from error
    manifest = _parsed(text, folder / MANIFEST)
    if not manifest.is_unaltered:
        raise ModelInvalid(
            f"{folder / MANIFEST} was altered: it is not what version {manifest.model_version} stands for. "
            "Take a fresh copy of the model, or train it anew."
        )
    return manifest


def _parsed(text: str, path: Path) -> Manifest:
    try:
        _check_format(_Formatted.model_validate_json(text).format, path)
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise ModelInvalid(
            f"{path} is not a manifest ({where}: {first['msg']}). Take the model folder that belongs to this "
            "version of FraudSense, or train it anew."
        ) from error


class _Formatted(BaseModel):
    format: int


def _check_format(found: int, path: Path) -> None:
    if found != FORMAT:
        todo = (
            "train it anew" if found < FORMAT else "install the newer version of FraudSense that it was made for"
        )
        raise ModelInvalid(
            f"The model of {path} is of format {found}; this version reads format {FORMAT}: {todo}."
        )


def checksum(content: bytes) -> str:
    """The SHA-256 of a file's content in hexadecimal."""
    return sha256(content).hexdigest()
