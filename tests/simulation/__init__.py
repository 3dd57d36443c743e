"""Deterministic simulation: the real flows with a simulated service, storage, network and clock, all decided by a seed.

A run is a pure function of its seed. Some users make calls while things go wrong, and a judge compares what they were
told with the service's ledger. A seed that breaks a rule is printed and can be run again.

Rule: everything random comes from the seed, and all time is the scheduler's. Read `scenario` first, then `backend`.
"""
