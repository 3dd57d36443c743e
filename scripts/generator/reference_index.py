"""The first page of the reference: a table of all operations.

Rule: everything on it comes from the document, so that no list of operations is kept by hand.
"""

from __future__ import annotations

from collections.abc import Iterable

from .endpoint_views import EndpointView, ResourceView
from .texts import code, markdown

NAME = "README.md"


def index(resources: Iterable[ResourceView]) -> str:
    """The page."""
    views = [view for node in resources for view in node.operations]
    jobs = [view for view in views if view.generates]
    others = [view for view in views if not view.generates]
    lines = ["# Reference", "", "A page for each resource has all parameters, examples and responses."]
    if jobs:
        lines += [
            "",
            "## Operations that start a job",
            "",
            "`generate` does a whole job: it uploads local files, submits, waits and saves the results.",
            "",
            "| Operation | In Python | In a terminal |",
            "|---|---|---|",
            *(f"| {_about(view)} | {_link(view, 'generate')} | {_command(view)} |" for view in jobs),
        ]
    if others:
        lines += [
            "",
            "## Other operations",
            "",
            "| Operation | In Python | In a terminal |",
            "|---|---|---|",
            *(f"| {_about(view)} | {_link(view, view.method_name)} | {_command(view)} |" for view in others),
        ]
    return "\n".join(lines) + "\n"


def _about(view: EndpointView) -> str:
    return markdown(view.description or view.summary_line).replace("\n", " ")


def _link(view: EndpointView, method: str) -> str:
    """The call, with a link to the page of its resource."""
    resource = ".".join(view.resource)
    return f"[`{code(f'client.{resource}.{method}')}`]({resource}.md)"


def _command(view: EndpointView) -> str:
    about = view.source.get("x-command") or {}
    words = [about[word] for word in ("group", "name") if word in about]
    return f"`{code(' '.join(['magic-hour', *words]))}`" if words else ""
