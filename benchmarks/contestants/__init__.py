"""Who is compared: each in a process of its own, told what to do by `benchmarks/race.py`.

Rule: each does the same work in the way its users would: one shared client, no tricks.
"""
