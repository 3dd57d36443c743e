"""What was charged and refunded: the ledger decides whether anything was charged twice.

Rule: entries are only added. A create is entered once, together with its charge, when the service accepts it.
"""

import threading
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Create", "Ledger", "Movement"]


@dataclass(frozen=True)
class Create:
    """An accepted create."""

    id: str
    operation: str
    name: str | None
    credits: int
    at: float


@dataclass(frozen=True)
class Movement:
    """Credits charged or refunded for a job."""

    id: str
    credits: int
    at: float


class Ledger:
    """Accepted creates, charges and refunds, in order, and the resulting balance."""

    def __init__(self, opening_balance: int) -> None:
        self.opening_balance = opening_balance
        self._lock = threading.Lock()
        self._bought = 0
        self._creates: list[Create] = []
        self._charges: list[Movement] = []
        self._refunds: list[Movement] = []

    @property
    def creates(self) -> tuple[Create, ...]:
        """Every accepted create."""
        return tuple(self._creates)

    @property
    def charges(self) -> tuple[Movement, ...]:
        """Every charge."""
        return tuple(self._charges)

    @property
    def refunds(self) -> tuple[Movement, ...]:
        """Every refund."""
        return tuple(self._refunds)

    @property
    def charged(self) -> int:
        """All credits charged so far, without refunds."""
        return sum(movement.credits for movement in self.charges)

    @property
    def refunded(self) -> int:
        """All credits refunded so far."""
        return sum(movement.credits for movement in self.refunds)

    @property
    def balance(self) -> int:
        """The remaining credits."""
        return self.opening_balance + self._bought - self.charged + self.refunded

    def charge(self, create: Create) -> bool:
        """Enter an accepted create and its charge; False, without an entry, if the balance is too low."""
        with self._lock:
            if create.credits > self.balance:
                return False
            self._creates.append(create)
            self._charges.append(Movement(create.id, create.credits, create.at))
            return True

    def refund(self, job_id: str, credits: int, at: float) -> None:
        """Enter a refund."""
        with self._lock:
            self._refunds.append(Movement(job_id, credits, at))

    def set_balance(self, credits: int) -> None:
        """Set the remaining credits, as a purchase does; what was charged and refunded stays."""
        if type(credits) is not int or credits < 0:
            raise ValueError(f"a balance must be an integer of at least 0, not {credits!r}")
        with self._lock:
            self._bought += credits - self.balance

    def clear(self) -> None:
        """Start again with the opening balance."""
        with self._lock:
            self._bought = 0
            self._creates.clear()
            self._charges.clear()
            self._refunds.clear()

    def as_json(self) -> dict[str, Any]:
        """Everything, as `GET /_emulator/ledger` returns it."""
        return {
            "creates": [asdict(create) for create in self.creates],
            "charges": [asdict(movement) for movement in self.charges],
            "refunds": [asdict(movement) for movement in self.refunds],
            **self.sums(),
        }

    def sums(self) -> dict[str, int]:
        """The sums: the balance is what it opened with and what was bought, less what was charged and not refunded."""
        return {
            "opening_balance": self.opening_balance,
            "bought": self._bought,
            "accepted": len(self.creates),
            "charged": self.charged,
            "refunded": self.refunded,
            "balance": self.balance,
        }
