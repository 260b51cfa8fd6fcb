"""What can stand between the user and a loaded model."""

from __future__ import annotations

from dataclasses import dataclass

from KPrismCore.errors import KPrismError


@dataclass(frozen=True)
class Problem:
    """Something to tell the user before the model is loaded.

    action: what the panel should offer: "install", "repair", "restart", or "" where only the user can help.
    blocking: False for a warning, with which K-Prism works all the same.
    """

    cause: str
    remedy: str
    action: str = ""
    blocking: bool = True


class InstallationError(KPrismError):
    """PyTorch cannot be installed, or does not work.

    Args:
        cause: what is wrong.
        remedy: what the user can do about it.
        action: as in `Problem`.
        details: the last lines of the program that failed, for the log.
    """

    def __init__(self, cause: str, remedy: str, action: str = "", details: str = "") -> None:
        super().__init__(cause, remedy)
        self.action = action
        self.details = details

    def problem(self) -> Problem:
        """The same as a problem of the environment."""
        return Problem(self.cause, self.remedy, self.action)
