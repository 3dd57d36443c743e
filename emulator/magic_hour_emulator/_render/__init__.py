"""Real media in place of a model's: each output carries its job's id, visibly and in its metadata.

Rule: the same seed, job and index give the same bytes; nothing here knows about requests, states or time.
"""
