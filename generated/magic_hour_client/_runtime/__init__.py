"""The machinery of a generated client: how a call is checked, sent, bounded in time and read. It knows no operation.

`scripts/generate.py` copies this package into each client as `_runtime`, byte for byte, and renders only `_contract`.

Rule: edit `templates/runtime/`, never a copy. Nothing here imports anything of the client around it.
"""
