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
    *("contract.py.jinja", "endpoints.py.jinja", "exports.jinja", "params.py.jinja"),
    *("params_init.py.jinja", "resource.py.jinja", "resources/package.py.jinja", "resources/resource.py.jinja"),
}
"""Templates of files that openapi-python-client has no name for; all others must replace a packaged one."""
FINGERPRINTS = {
    ".gitignore.jinja": "4b066f97dab229a1cdf588f0690ac1b26a40725375d6eb1ff46a21cf5485560f",
    "README.md.jinja": "db57918c4d3b23d2a6f1904b124fdeb90fad0baf2a78bec7bfa0617d48fd623c",
    "api_init.py.jinja": "f3b0290732b219be73b204cc3a44170eab0b64299a485a093306c6cc20d064cc",
    "client.py.jinja": "4eac65762f21014a7fbf59e730f1be6d28c9c85ddc1c40b458b6ff5f67a64c9e",
    "endpoint_init.py.jinja": "c1837a037fdbbd85b5dc1d49f58bd80a672fe4496cfaaf84d3b91927027b56da",
    "endpoint_macros.py.jinja": "58edb8b4913db6ed4863c633fb39365364494398c8156c77151c6676f1b28fee",
    "endpoint_module.py.jinja": "c1b2628053eb4875ba59566baa5ae907666f9cbfafa308d93f970a4404b7cd52",
    "errors.py.jinja": "b6ba7ea79aa7d7f24b47119985d1ed20268d3da0ab70309ee138088a106b6af9",
    "helpers.jinja": "4e6ada7b7a8806e739faa7b1f330c1db2b924180a3003df0a4e048edcb549f02",
    "int_enum.py.jinja": "cf8776855b1d826971501d5f6d5b38c3cb496aad9276684b8ece268db67918bc",
    "literal_enum.py.jinja": "04f2eb9334dd543ab7fa91a1fe3a73e7d5f2cf50e09d864429ddb58e506c8b68",
    "model.py.jinja": "fd1c79680d51c06cfbb89809ad123750ba9add98b688036c04cabbf1f8ba40a0",
    "models_init.py.jinja": "4f64a3d6e1b15a561be5573c1b7702eb928c0e4fa6b67107d20e57a74c44d51a",
    "package_init.py.jinja": "ac15907e32dc39bd9b83ea6f2002fb87514f2182b97f88231b5a9c47321f6210",
    "property_templates/any_property.py.jinja": "1f5f9a325f4cc6cf73fa05d0530f4c08d36b1987b01b5a74b38ddf958e181ed0",
    "property_templates/boolean_property.py.jinja": "df1821adba9279487e424d6f75a59bfd1c4638136385f2857fd1013a630e0735",
    "property_templates/const_property.py.jinja": "d296884c11f3aafad6772d8cb71de0a3d08ad36c9ad197c0e727082f86f32659",
    "property_templates/date_property.py.jinja": "927595c05d7caa8004dc3f0ec9d8f12d79dc6afb9d0ab2ad52bf1f8a84a45e17",
    "property_templates/datetime_property.py.jinja": "c789d11d8ea26cb5ab637470b1c11049652bf6438434e36325212e40304d7ff9",
    "property_templates/enum_property.py.jinja": "28f1074bdd5f0d7e66618c7e3e5b6e3b75467adf25a971922905df0bf3dcf126",
    "property_templates/file_property.py.jinja": "c7e4a756b15108885ae3dac10c330a8d093bf42215f80cefb012fa5f75dba0aa",
    "property_templates/float_property.py.jinja": "bcc65b46da262043ef9cacbde5f4f840d411aee7efe7181d4a767def148ddfc5",
    "property_templates/helpers.jinja": "a321c953d7101a1b18ed77f543b39aa57e86e265b7a913545f6c052a12b6331b",
    "property_templates/int_property.py.jinja": "bcc65b46da262043ef9cacbde5f4f840d411aee7efe7181d4a767def148ddfc5",
    "property_templates/list_property.py.jinja": "4390b5f673fdb10d1ae7f47fd2720a88dce53a4c64a6137549559566f9107a2c",
    "property_templates/literal_enum_property.py.jinja": "1b3096b7187246cf42383db9e659269e1861b2a54b26cb837e9bdcb788693630",  # noqa: E501
    "property_templates/model_property.py.jinja": "9f6efdbfb6212ee4cbaf25149c275d04b262cb03dc69c31bc301282a58167f68",
    "property_templates/property_macros.py.jinja": "c79a9954579902a214d7caecf5b7c00912d1f20b941238d290099fcb027233f9",
    "property_templates/union_property.py.jinja": "03790f2710deaeb219c18e518ae183ad4a41eda1f78cf625d139edff7546cd26",
    "property_templates/uuid_property.py.jinja": "e56511359f8d3c68858c7f80718299ccc4bc9663b5ccb802b5fd472cc883d9a2",
    "pyproject.toml.jinja": "ac1685ab4a2a946796f8d7aca8f785fc11829c4101e0fd90abde6f22b18e1504",
    "pyproject_pdm.toml.jinja": "0434c8de96360da0e229a5aca5f115592d6ff215c1ccb7ad89f40b2967225f1b",
    "pyproject_poetry.toml.jinja": "04924d377f9f0c0de7e9c72742937052eeee09cec2bec8cbfaed36fba4a36893",
    "pyproject_ruff.toml.jinja": "3a015f09df426b762c53c59d0b1a89a09742244b73003a710317cc821ab39fcd",
    "pyproject_uv.toml.jinja": "fe450930297be4dc1e30cff73fbc734264a047dab984cb256edafc5aa1dc3033",
    "setup.py.jinja": "9135c7603886823136b114ea0862cbab0a4980dc2905041c9ac5b784347c44a6",
    "str_enum.py.jinja": "e4979a5e6b338351eda8bdac534017cfbeb51a809b494fd3c632db39414817fc",
    "types.py.jinja": "93df9d75883a4eafac77dd21bc6907f3ef612e3f7841e08656618dcf6c4ce494",
}


def found() -> dict[str, str]:
    return {
        path.relative_to(PACKAGED).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
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
        *("str_enum.py.jinja", "int_enum.py.jinja"),  # all enums are literals
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
