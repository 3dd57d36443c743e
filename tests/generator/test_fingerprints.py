"""The templates rewrite files of one release of openapi-python-client: here is what that release looked like.

When this fails the pin has moved. templates/README.md says what to do; then run this file to print the new list:
`python tests/generator/test_fingerprints.py`.
"""

from __future__ import annotations

import hashlib
from importlib.resources import files
from pathlib import Path

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"
PACKAGED = Path(str(files("openapi_python_client").joinpath("templates")))
OURS = {
    *(
        "api.py.jinja",
        "contract.py.jinja",
        "endpoints.py.jinja",
        "events.py.jinja",
        "exports.jinja",
        "models.py.jinja",
        "params.py.jinja",
    ),
    *("resource.py.jinja", "resources/package.py.jinja", "resources/resource.py.jinja"),
}
"""Templates of files that openapi-python-client has no name for; all others must replace a packaged one."""
FINGERPRINTS = {
    ".gitignore.jinja": "4b066f97dab2", "README.md.jinja": "db57918c4d3b", "api_init.py.jinja": "f3b0290732b2",
    "client.py.jinja": "4eac65762f21", "endpoint_init.py.jinja": "c1837a037fdb",
    "endpoint_macros.py.jinja": "58edb8b4913d", "endpoint_module.py.jinja": "c1b2628053eb",
    "errors.py.jinja": "b6ba7ea79aa7", "helpers.jinja": "4e6ada7b7a88", "int_enum.py.jinja": "cf8776855b1d",
    "literal_enum.py.jinja": "04f2eb9334dd", "model.py.jinja": "fd1c79680d51", "models_init.py.jinja": "4f64a3d6e1b1",
    "package_init.py.jinja": "ac15907e32dc", "property_templates/any_property.py.jinja": "1f5f9a325f4c",
    "property_templates/boolean_property.py.jinja": "df1821adba92",
    "property_templates/const_property.py.jinja": "d296884c11f3",
    "property_templates/date_property.py.jinja": "927595c05d7c",
    "property_templates/datetime_property.py.jinja": "c789d11d8ea2",
    "property_templates/enum_property.py.jinja": "28f1074bdd5f",
    "property_templates/file_property.py.jinja": "c7e4a756b151",
    "property_templates/float_property.py.jinja": "bcc65b46da26", "property_templates/helpers.jinja": "a321c953d710",
    "property_templates/int_property.py.jinja": "bcc65b46da26",
    "property_templates/list_property.py.jinja": "4390b5f673fd",
    "property_templates/literal_enum_property.py.jinja": "1b3096b71872",
    "property_templates/model_property.py.jinja": "9f6efdbfb621",
    "property_templates/property_macros.py.jinja": "c79a99545799",
    "property_templates/union_property.py.jinja": "03790f2710de",
    "property_templates/uuid_property.py.jinja": "e56511359f8d", "pyproject.toml.jinja": "ac1685ab4a2a",
    "pyproject_pdm.toml.jinja": "0434c8de9636", "pyproject_poetry.toml.jinja": "04924d377f9f",
    "pyproject_ruff.toml.jinja": "3a015f09df42", "pyproject_uv.toml.jinja": "fe450930297b",
    "setup.py.jinja": "9135c7603886", "str_enum.py.jinja": "e4979a5e6b33", "types.py.jinja": "93df9d75883a",
}  # fmt: skip


def found() -> dict[str, str]:
    return {
        path.relative_to(PACKAGED).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        for path in sorted(PACKAGED.rglob("*"))
        if path.is_file() and path.suffix != ".pyc"
    }


def ours() -> set[str]:
    return {path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*.jinja")}


def test_packaged_templates_are_those_we_know() -> None:
    assert found() == FINGERPRINTS


def test_every_template_of_ours_replaces_one_or_is_listed() -> None:
    assert ours() - set(FINGERPRINTS) == OURS


def test_no_packaged_template_reaches_the_output() -> None:
    """Those we do not replace are for parts that are switched off, or only included by others that we do replace."""
    unused = {name for name in FINGERPRINTS if name not in ours()}
    assert unused == {
        *("README.md.jinja", ".gitignore.jinja", "setup.py.jinja"),  # no metadata
        *(name for name in FINGERPRINTS if name.startswith("pyproject")),
        # models.py.jinja writes all classes
        *("model.py.jinja", "str_enum.py.jinja", "int_enum.py.jinja", "literal_enum.py.jinja"),
        *("endpoint_module.py.jinja", "endpoint_init.py.jinja"),  # api.py.jinja writes all operations
        *("helpers.jinja", "endpoint_macros.py.jinja"),  # included by packaged templates
        *(name for name in FINGERPRINTS if name.startswith("property_templates/")),
    }


def test_the_templates_are_explained() -> None:
    text = (TEMPLATES / "README.md").read_text(encoding="utf-8")
    missing = [name for name in (*ours(), "config.yaml") if f"`{name}`" not in text]
    assert missing == []


if __name__ == "__main__":
    for name, digest in found().items():
        print(f'    "{name}": "{digest}",')
