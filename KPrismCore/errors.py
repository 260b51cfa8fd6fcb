"""Every error a user can cause or meet, each with its cause and its remedy in plain words."""

from __future__ import annotations


class KPrismError(Exception):
    """An error to show to the user.

    Args:
        cause: what is wrong, naming the file, class or value concerned.
        remedy: what the user can do about it.
    """

    def __init__(self, cause: str, remedy: str) -> None:
        super().__init__(f"{cause} {remedy}")
        self.cause = cause
        self.remedy = remedy


class InputFileError(KPrismError):
    """A file or folder is missing, unreadable, truncated or of an unsupported kind."""


class GeometryError(KPrismError):
    """A volume's geometry cannot be used: gantry tilt, missing slices, singular matrix, wrong dimension."""


class ImageContentError(KPrismError):
    """The voxels cannot be segmented: NaN, constant, one pixel, too many dimensions."""


class PromptError(KPrismError):
    """A prompt does not fit the image or the model."""


class UnknownClassError(PromptError):
    """The class is not in the model's catalogue; the remedy names near matches."""


class ClickOutsideError(PromptError):
    """A click lies outside the image or volume."""


class ReferenceMismatchError(PromptError):
    """A reference has no mask, another grid than its image, or another modality."""


class ProtectedError(KPrismError):
    """A segment that is locked, or a slice that is accepted, would have to change."""


class SessionFileError(KPrismError):
    """A saved session is missing, damaged, of a newer format, or belongs to another volume."""


class CheckpointError(KPrismError):
    """A checkpoint cannot be read, is unsafe, or does not fit the network."""


class DeviceError(KPrismError):
    """The device asked for is absent or out of memory."""


class OutputFileError(KPrismError):
    """The result cannot be written: unknown ending, no permission, disk full."""


class TrainingDataError(KPrismError):
    """The training or evaluation data cannot be used."""


class MissingPackageError(KPrismError):
    """A package that only some commands need is not installed."""


class WorkerError(KPrismError):
    """The workers of a distributed evaluation cannot be started, or failed."""
