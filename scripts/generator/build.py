"""Renders everything: openapi-python-client's own files through our templates, and the files it has no name for.

Rule: the output depends on the document, the templates and the pinned tools alone, and is compiled before anybody
sees it.
"""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from openapi_python_client import Project, strings
from openapi_python_client.config import Config, ConfigFile, MetaType
from openapi_python_client.parser import GeneratorData
from openapi_python_client.parser.errors import GeneratorError

from . import runtime
from .contract import Contract
from .endpoints import Endpoints
from .examples import with_examples
from .homes import by_module
from .lint import ascii_title, check_kinds, check_metadata, check_names, check_nothing_lost
from .modules import modules
from .names import ERRORS
from .nested_fields import with_nested_docs
from .operations_json import operations_json
from .problems import BrokenOutput, InvalidSpec, LostOperation
from .texts import Code, doc, guard, literal, printable, raw
from .views import Views
from .webhooks import event_types


class Build:
    """One document on its way to files."""

    def __init__(self, contract: Contract, templates: Path) -> None:
        self.contract = contract
        self.templates = templates
        path = templates / "config.yaml"
        options: dict[str, Any] = {"document_source": path, "file_encoding": "utf-8", "output_path": None}
        config = Config.from_sources(ConfigFile.load_from_path(path), MetaType.NONE, overwrite=False, **options)
        data = _parsed(contract, config)
        check_metadata(data)
        check_nothing_lost(contract, data)
        self.data = data
        self.config = config
        self.views = Views(contract, data)
        self.endpoints = Endpoints(self.views, data)
        check_names(self.views, self.endpoints)
        self.modules = modules(self.views, self.endpoints, data)
        self.warnings = [found for tag in data.endpoint_collections_by_tag.values() for found in tag.parse_errors]
        # Or openapi-python-client writes each into a file of its own.
        data.models, data.enums, data.endpoint_collections_by_tag = [], [], {}
        check_kinds(self.endpoints)
        self.event_types = event_types(contract, self.views, self.endpoints)
        self.endpoints.check_rows()
        self.title = ascii_title(data)
        self.package = f"{strings.snake_case(self.title)}_client"
        self.resources_package = f"{strings.snake_case(self.title)}_resources"
        self.endpoints.by_place = with_nested_docs(with_examples(self.endpoints.by_place, contract), contract)

    def write(self, folder: Path) -> None:
        """Write the package into `folder`, which must not exist yet."""
        self.config.output_path = folder
        project = Project(openapi=self.data, config=self.config, custom_template_path=self.templates)
        write = self._writer(project, folder)
        with contextlib.redirect_stdout(io.StringIO()):
            errors = [printable(error.detail) for error in (*self.warnings, *project.build())]
        if errors:
            raise LostOperation("the generator warned:", errors)
        self._write_more(write)
        text = operations_json(self.endpoints.all(), self.contract)
        (folder / "operations.json").write_text(text, encoding="utf-8")
        _finish(folder)
        runtime.copy(self.templates / "runtime", folder)

    def write_resources(self, folder: Path) -> None:
        """Write the package of resources with workflows into `folder`, which must not exist yet."""
        project = Project(openapi=self.data, config=self.config, custom_template_path=self.templates)
        write = self._writer(project, folder)
        folder.mkdir()
        write("resources/package.py.jinja", "__init__.py")
        for module, nodes in by_module(node for node in self.endpoints.resources() if node.is_extended):
            write("resources/resource.py.jinja", f"{module}.py", module=module, views=nodes)
        _finish(folder)

    def _writer(self, project: Project, folder: Path) -> Callable[..., None]:
        """Prepares the templates of a project; returns what renders one into a file of `folder`."""
        title = strings.pascal_case(self.title)
        types = ("UNSET", "AssetSource", "Endpoint", "Request", "Response", "Unset")
        package_exports = [("client", "AsyncClient"), ("client", "Client"), *(("types", name) for name in types)]
        package_exports += (("errors", name) for name in (f"{title}Error", *ERRORS))
        sent = [self.views.model(model) for name, model in sorted(self.views.models.items()) if name in self.views.sent]
        env = project.env
        env.finalize = guard
        env.filters.update(doc=doc, literal=literal, code=Code)
        env.globals.update(
            banner=Code(
                "# Generated by scripts/generate.py from the contract. Do not edit: the next run overwrites it."
            ),
            model_view=self.views.model,
            enum_values=self.views.enum_values,
            base_error=Code(f"{title}Error"),
            env_prefix=Code(strings.snake_case(self.title).upper()),
            default_base_url=self._default_base_url(),
            path_prefix=self._path_prefix(),
            openapi=self.data,
            endpoint_views=self.endpoints.all(),
            project_gets=self.endpoints.project_gets(),
            tasks=self.endpoints.tasks,
            balance=self.endpoints.balance(),
            errors=ERRORS,
            event_types=self.event_types,
            event_payloads=list(dict.fromkeys(f"_models.{event.payload}" for event in self.event_types)),
            upload_urls=self.endpoints.upload_urls(),
            stored=self.endpoints.stored(),
            version=raw(self.data.version),
            package_name=Code(self.package),
            roots=[node for node in self.endpoints.resources() if len(node.resource) == 1],
            model_exports=[(module.name, name) for module in self.modules for name in sorted(module.classes)],
            sent_views=sent,
            package_exports=sorted(package_exports),
        )

        def write(template: str, target: str, **values: Any) -> None:
            path = folder / target
            path.parent.mkdir(exist_ok=True)
            path.write_text(env.get_template(template).render(**values), encoding="utf-8")

        return write

    def _default_base_url(self) -> str:
        """The address of the first server, with the defaults of its variables; none if it is not a whole one."""
        server = (self.contract.raw.get("servers") or [{}])[0]
        url = str(server.get("url", ""))
        for name, variable in (server.get("variables") or {}).items():
            url = url.replace("{" + name + "}", str(variable.get("default", "")))
        return url.rstrip("/") if url.startswith(("https://", "http://")) else ""

    def _path_prefix(self) -> str:
        """The first part of all paths, such as `/v1`; none if they differ in it, or it is a parameter."""
        first = {path.split("/")[1] for path in self.contract.raw.get("paths", {}) if path.count("/") > 1}
        return f"/{first.pop()}" if len(first) == 1 and "{" not in "".join(first) else ""

    def _write_more(self, render: Callable[..., None]) -> None:
        """The files that openapi-python-client has no name for."""
        render("endpoints.py.jinja", "endpoints.py")
        render("contract.py.jinja", f"{runtime.FOLDER}/{runtime.CONTRACT}")
        render("params.py.jinja", "params.py")
        render("events.py.jinja", "events.py")
        for module in self.modules:
            render("models.py.jinja", f"models/{module.name}.py", module=module)
        tags = dict.fromkeys(view.tag for view in self.endpoints.all())
        for tag in tags:
            operations = [view for view in self.endpoints.all() if view.tag == tag]
            render("api.py.jinja", f"api/{tag}.py", operations=operations)
        render("api_init.py.jinja", "resources/__init__.py")
        for name, nodes in by_module(self.endpoints.resources()):
            render("resource.py.jinja", f"resources/{name}.py", views=nodes)


def _parsed(contract: Contract, config: Config) -> GeneratorData:
    """What openapi-python-client makes of the document; it fails in ways of its own on some that are valid."""
    try:
        data = GeneratorData.from_dict(contract.for_the_generator(), config=config)
    except Exception as error:
        raise InvalidSpec("the generator fails on the document:", [f"{type(error).__name__}: {error}"[:300]]) from error
    if isinstance(data, GeneratorError):
        raise InvalidSpec("the generator cannot read the document:", [printable(data.detail)])
    return data


def format_folder(folder: Path) -> None:
    """Sort imports, drop unused ones, lay out. No settings of a project matter, nor what its git ignores or which
    folder names ruff skips by default: a tag may be called `build`."""
    ruff = [sys.executable, "-P", "-m", "ruff"]  # -P: never import from the current folder
    flags = ["--isolated", "--no-cache", "--quiet", "--no-respect-gitignore", "--config", "exclude=[]"]
    flags += ["--line-length", "120", "--target-version", "py311"]
    for command in (["check", "--fix-only", "--select", "I,F401"], ["format"]):
        done = subprocess.run([*ruff, *command, *flags, str(folder)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise BrokenOutput("ruff cannot read the generated code:", done.stderr.splitlines()[:20])


def _finish(folder: Path) -> None:
    """Mark the package as typed, compile it, lay it out."""
    (folder / "py.typed").write_text("", encoding="utf-8")
    for path in sorted(folder.rglob("*.py")):
        try:
            with warnings.catch_warnings(action="error"):  # such as for an escape that means nothing
                compile(path.read_text(encoding="utf-8"), path.name, "exec", dont_inherit=True)
        except (SyntaxError, ValueError) as error:
            raise BrokenOutput("the generated code is not Python:", [f"{path.relative_to(folder)}: {error}"]) from None
    format_folder(folder)
