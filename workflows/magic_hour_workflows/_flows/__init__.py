"""The decisions of upload, create, wait and download, each written once.

Every flow is a plain coroutine over the `Backend` port, so sync and async clients share all of it.

Rule: a flow calls no clock, no network and no event loop; it asks its `Backend`. Read `generate` first, then `wait`.
"""
