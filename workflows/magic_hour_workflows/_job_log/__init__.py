"""The job log: what was submitted, what it costs, and what became of it, in a file that outlives the program.

Rule: a line is written and synced before a create and after its answer. Any number of processes append to the file,
under a lock; lines that cannot be read are counted and skipped.
"""
