"""Real media instead of a model's: every output shows its job's id and has it in its metadata.

Rule: the same seed, job and index give the same bytes. Nothing here depends on requests, states or time.
"""
