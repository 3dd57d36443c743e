"""The ways in which the service refuses a request or fails a job.

Rule: every refusal has a status, a code for programs and a message for people that names the field at fault.
"""

from dataclasses import dataclass

__all__ = ["Abandoned", "JobError", "Refusal"]


class Refusal(Exception):
    """A request that is answered with an error instead of being carried out."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def body(self) -> dict[str, str]:
        """The body that the service answers with."""
        return {"code": self.code, "message": self.message}


class Abandoned(Exception):
    """An output that nobody needs any more, because its job was deleted or the emulator stops."""


@dataclass(frozen=True)
class JobError:
    """Why a job failed, as `error` of a project says it."""

    code: str
    message: str
