"""Deterministic simulation: the real flows against a service, a storage, a network and a clock that one seed decides.

A run is a pure function of its seed. It plays some users who make calls while things go wrong, and a judge compares
what they were told with the service's ledger. A seed that breaks a rule is printed and can be played again.

Rule: everything random comes from the seed, and all time is the scheduler's. Read `scenario` first, then `port`.
"""
