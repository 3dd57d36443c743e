"""Ids that look like the service's and are the same in every run with the same seed.

Rule: ids are unique within a run; a reset starts the sequence again.
"""

import random
import string
import threading

__all__ = ["Ids"]

_ALPHABET = string.ascii_lowercase + string.digits


class Ids:
    """A seeded sequence of cuid-like ids: `c` and 24 lowercase letters and digits."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._random = random.Random(seed)
        self._lock = threading.Lock()

    def next(self) -> str:
        """A new id."""
        with self._lock:
            return "c" + "".join(self._random.choices(_ALPHABET, k=24))

    def reset(self) -> None:
        """Start the sequence again."""
        with self._lock:
            self._random = random.Random(self._seed)
