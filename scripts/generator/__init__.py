"""Turns an OpenAPI document into the client package and its reference pages.

`contract` loads and lints the document, `shapes` and `views` work out what the templates need, `build` renders,
`tree` compares and writes. `scripts/generate.py` is the command.
"""
