"""A hostile document must not get its text to run, nor anything written that is not Python.

Rule: each payload is put into every place a document has; the generator stops, or what it wrote is compiled, imported
and used in a fresh interpreter, in which every payload would have left a file behind. Texts, which no place may refuse,
stand in one document for all payloads; names may be refused, so each has a document of its own, and most of them are
for `make test-long`.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from openapi_python_client.schema import UntrustedString

from generator import texts
from generator.build import Build, format_folder
from generator.contract import load
from generator.problems import BrokenOutput, Problem
from generator.reference import END, START, pages
from generator.reference_index import NAME as INDEX
from generator.texts import Code, raw
from programs import python

ROOT = Path(__file__).resolve().parents[2]
MARK = "/tmp/magic-hour-generator-was-hacked"  # noqa: S108  (never made, unless a payload runs)
RUN = f"__import__('os').mkdir('{MARK}')"
RUN2 = RUN.replace("'", '"')

PAYLOADS = {
    "quotes": f"'+{RUN2}+'",
    "double quotes": f'"+{RUN}+"',
    "three quotes": f'"""+{RUN}+"""',
    "three single quotes": f"'''+{RUN2}+'''",
    "four quotes": f'""""\n{RUN}\n""""',
    "escaped quotes": f'\\"\\"\\"+{RUN}+\\"\\"\\"',
    "backslash before quotes": f'\\"""\n{RUN}\n"""',
    "ends in a quote": 'he said "',
    "ends in a backslash": "C:\\",
    "only a backslash": "\\",
    "name of a letter": "\\N{BULLET} \\N{NO SUCH NAME}",
    "hex": f"\\x22\\x22\\x22+{RUN}+\\x22\\x22\\x22 \\x4",
    "too large a letter": "\\U00110000 \\u12",
    "octal": "\\42\\42\\42",
    "braces": f"{{{RUN}}}",
    "f-string": f"{{{RUN}!r:>{{10}}}}",
    "jinja expression": f'{{{{ cycler.__init__.__globals__.os.mkdir("{MARK}") }}}}',
    "jinja block": f"{{% set x = cycler.__init__.__globals__.os.mkdir('{MARK}') %}}{{% raw %}}",
    "jinja comment": "{# #} {#",
    "new line": f"a\n{RUN}\n",
    "new lines and brackets": f")]}}\n\n{RUN}\n\n",
    "carriage return": f"a\r{RUN}\r",
    "form feed": f"a\f{RUN}\v{RUN}",
    "end of comment": f"a\x85{RUN}\x1c{RUN}\x1e",
    "line separator": f"a\u2028{RUN}\u2029{RUN}",
    "zero byte": f"a\0{RUN}",
    "half a letter": "a\ud800b\udfff",
    "bidi": f"a\u202e{RUN}\u2066\u2069",
    "invisible": "a\u200b\ufeff\u00ad",
    "start of custom docs": f"{START}\nmine",
    "end of custom docs": f"{END}\n# mine",
    "comment": f"--> <!-- ]]> {RUN}",
    "fence": f"```\n{RUN}\n```python\n~~~",
    "backticks and pipes": "`a` | `b` \\| c \\\\| d |",
    "html": f'<a name="create"></a><script>{RUN}</script>',
    "dollar": f"${{{RUN}}} $(mkdir {MARK}) `mkdir {MARK}`",
    "percent": "%s %(name)s %d %",
    "comment of a checker": "# type: ignore\n# noqa\n# -*- coding: utf-7 -*-",
    "utf-7": "+AAo-import os+AAo-",
    "semicolon": f"a; {RUN}; b",
    "statement": f"import os; {RUN}",
    "call": f"a={RUN}",
    "path": f"../../../..{MARK}/a",
    "long word": "a" * 5000,
    "long word of backslashes": "\\" * 5001,
    "long word of quotes": '"' * 5000,
    "right to left": "\u05d0\u05d1\u05d2 \u0627\u0628",
    "emoji": "🙈🙉🙊",
    "keyword": "None",
    "dunder": "__class__",
    "nothing": "",
    "space": " ",
    "look-alike": "\ufb01eld \uff43\uff4c\uff41\uff53\uff53 \u00b5",
}

Put = Callable[[Any, Any], None]
TEXTS: dict[str, Put] = {}
"""Places for any text: none of these may make the generator stop, unless the validator refuses the document."""
NAMES: dict[str, Put] = {}
"""Places for names and types."""


def place(kind: dict[str, Put]) -> Callable[[Put], Put]:
    def register(put: Put) -> Put:
        kind[put.__name__] = put
        return put

    return register


def post(d: Any) -> Any:
    return d["paths"]["/things"]["post"]


def get(d: Any) -> Any:
    return next(item["get"] for path, item in d["paths"].items() if "get" in item)


def fields(d: Any) -> Any:
    return d["components"]["schemas"]["Thing"]["properties"]


@place(TEXTS)
def descriptions(d: Any, p: Any) -> None:
    post(d).update(description=p, summary=p)
    post(d)["requestBody"]["description"] = p
    post(d)["responses"]["200"]["description"] = p
    get(d)["parameters"][0]["description"] = p
    get(d)["parameters"][1]["description"] = p
    d["components"]["schemas"]["Thing"].update(description=p, title="Thing")
    fields(d)["name"]["description"] = p
    fields(d)["part"] = {"$ref": "#/components/schemas/Part", "description": p}


@place(TEXTS)
def examples(d: Any, p: Any) -> None:
    value = {"name": p, "part": {p: [p, {p: p}]}, "colour": p}
    post(d)["requestBody"]["content"]["application/json"]["example"] = value
    post(d)["responses"]["200"]["content"]["application/json"]["example"] = value
    get(d)["parameters"][0]["example"] = p
    get(d)["parameters"][1]["examples"] = {"one": {"value": p}}
    fields(d)["name"].update(example=p, examples=[p])
    d["components"]["schemas"]["Part"]["properties"]["size"]["example"] = {p: p}


@place(TEXTS)
def values(d: Any, p: Any) -> None:
    fields(d)["name"]["default"] = p
    fields(d)["more"] = {"type": "array", "items": {"type": "string", "default": p}, "default": [p]}
    fields(d)["colour"]["enum"] = [p, "red"]
    get(d)["parameters"][1]["schema"] = {"type": "string", "enum": [p], "default": p}
    fields(d)["kind"] = {"const": p}
    fields(d)["kinds"] = {"type": "array", "items": {"const": p}}
    fields(d)["words"] = {"type": "object", "additionalProperties": {"type": "string"}, "example": {p: p}}


@place(TEXTS)
def extensions(d: Any, p: Any) -> None:
    row = {"name": [p, "x"], "colour": p, "price": 1.5}
    post(d).update({"x-charges-credits": True, "x-credits": {"unit": p, "default": {"name": p}, "prices": [row]}})
    fields(d)["name"].update({"deprecated": True, "x-deprecation": p, "x-what": p, "x-secret": p})
    fields(d)["name"].update({"x-implied": {"colour": p}, "default": p})
    fields(d)["colour"]["x-deprecated-values"] = {"red": p, p: p}
    condition = {"if": {"properties": {"name": {"const": p}}, "required": ["name"]}, "then": {"required": ["colour"]}}
    d["components"]["schemas"]["Thing"].update(
        {"x-essential": ["name"], "allOf": [{**condition, "title": p, "x-what": p}]}
    )


@place(TEXTS)
def odd_extensions(d: Any, p: Any) -> None:
    post(d).update({"x-charges-credits": p, "x-project-kind": {p: [p]}})
    fields(d)["name"].update({"deprecated": True, "x-deprecation": {p: p}, "format": p})
    fields(d)["colour"]["x-deprecated-values"] = p
    d["components"]["schemas"]["Thing"].update({"x-secret": [p]})


@place(TEXTS)
def whole_document(d: Any, p: Any) -> None:
    d["info"].update(version=p, description=p, termsOfService="https://a.example")
    d["tags"] = [{"name": "things", "description": p}]
    d["servers"] = [
        {"url": f"https://a.example/{p}", "description": p, "variables": {"v": {"default": p, "description": p}}}
    ]
    d["x-what"] = p


@place(NAMES)
def rows(d: Any, p: Any) -> None:
    post(d).update({"x-credits": {p: p, "prices": [p, {p: 1.5}], "quantity": {p: p}}, "x-command": {p: p}})
    fields(d)["name"].update({"x-asset": [p], "x-implied": {p: p}, "x-before": {p: p}})
    d["components"]["schemas"]["Thing"]["not"] = {"properties": {p: {p: p}}, "required": [p], p: p}


@place(NAMES)
def rows_of_another_form(d: Any, p: Any) -> None:
    post(d).update({"x-credits": p, "x-command": p})
    fields(d)["name"].update({"x-asset": p, "x-implied": [p], "x-before": [p]})
    d["components"]["schemas"]["Thing"].update({"if": {"enum": [p]}, "then": p, "else": [p]})


@place(NAMES)
def title(d: Any, p: Any) -> None:
    d["info"]["title"] = p


@place(NAMES)
def title_after_a_letter(d: Any, p: Any) -> None:
    d["info"]["title"] = f"a{p}"


@place(NAMES)
def field(d: Any, p: Any) -> None:
    fields(d)[p] = {"type": "string"}
    d["components"]["schemas"]["Thing"]["required"].append(p)


@place(NAMES)
def field_after_a_letter(d: Any, p: Any) -> None:
    fields(d)[f"a{p}"] = {"type": "string"}


@place(NAMES)
def inline_object(d: Any, p: Any) -> None:
    fields(d)[p] = {"type": "object", "properties": {p: {"type": "object", "title": p, "properties": {"a": {}}}}}


@place(NAMES)
def schema(d: Any, p: Any) -> None:
    d["components"]["schemas"][p] = {"type": "object", "properties": {"a": {"type": "string"}}}


@place(NAMES)
def titles_of_schemas(d: Any, p: Any) -> None:
    d["components"]["schemas"]["Thing"]["title"] = p
    fields(d)["inner"] = {"type": "object", "title": p, "properties": {"a": {"type": "string", "title": p}}}
    fields(d)["colour"]["title"] = p


@place(NAMES)
def query_parameter(d: Any, p: Any) -> None:
    get(d)["parameters"][1]["name"] = p


@place(NAMES)
def header_parameter(d: Any, p: Any) -> None:
    get(d)["parameters"][1].update({"name": p, "in": "header"})


@place(NAMES)
def path_parameter(d: Any, p: Any) -> None:
    d["paths"][f"/things/{{{p}}}"] = d["paths"].pop("/things/{id}")
    get(d)["parameters"][0]["name"] = p


@place(NAMES)
def path_segment(d: Any, p: Any) -> None:
    d["paths"][f"/things/{p}/{{id}}"] = d["paths"].pop("/things/{id}")


@place(NAMES)
def operation_id(d: Any, p: Any) -> None:
    post(d)["operationId"] = p
    d["paths"]["/things/{id}"]["post"] = {"operationId": f"b{p}", "responses": get(d)["responses"]}
    d["paths"]["/things/{id}"]["post"]["parameters"] = get(d)["parameters"]


@place(NAMES)
def tag(d: Any, p: Any) -> None:
    post(d)["tags"] = [p]


@place(NAMES)
def type_name(d: Any, p: Any) -> None:
    fields(d)["name"]["type"] = p


@place(NAMES)
def reference(d: Any, p: Any) -> None:
    fields(d)["part"] = {"$ref": f"#/components/schemas/{p}"}


@place(NAMES)
def status(d: Any, p: Any) -> None:
    post(d)["responses"][p] = post(d)["responses"].pop("200")


@place(NAMES)
def content_type(d: Any, p: Any) -> None:
    post(d)["requestBody"]["content"][f"application/{p}+json"] = post(d)["requestBody"]["content"].pop(
        "application/json"
    )


@place(NAMES)
def openapi(d: Any, p: Any) -> None:
    d["openapi"] = f"3.1{p}"


USE = """
import glob, importlib, importlib.machinery, inspect, os, sys, warnings
mark, roots = sys.argv[1], sys.argv[2:]
warnings.simplefilter("error")
sys.dont_write_bytecode = True
seen, used, compiled, contracts = set(), 0, {}, {}
compile_source = importlib.machinery.SourceFileLoader.source_to_code

def compile_once(loader, data, path):
    if data not in compiled:
        compiled[data] = compile_source(loader, data, path)
    return compiled[data]

importlib.machinery.SourceFileLoader.source_to_code = compile_once
for root in roots:
    [name] = os.listdir(root)
    with open(os.path.join(root, name, "_runtime", "_contract.py"), encoding="utf-8") as file:
        contract = file.read()
    if contracts.get(name) != contract:  # else the machinery that is loaded is the same, line by line
        for module in [module for module in sys.modules if module.startswith(name + "._runtime")]:
            del sys.modules[module]
    contracts[name] = contract
    sys.path.insert(0, root)
    package = importlib.import_module(name)
    for path in sorted(glob.glob(os.path.join(root, name, "**", "*.py"), recursive=True)):
        with open(path, encoding="utf-8") as file:
            place = os.path.relpath(path, os.path.join(root, name)), file.read()
        if place in seen:  # the same file as in another tree: it is loaded only if one that differs needs it
            continue
        seen.add(place)
        dotted = os.path.relpath(path, root)[:-3].replace(os.sep, ".")
        module = importlib.import_module(dotted.removesuffix(".__init__"))
        used += 1
        for value in list(vars(module).values()):
            inspect.getdoc(value)
            if inspect.isclass(value) and hasattr(value, "from_dict") and "__attrs_attrs__" in vars(value):
                try:
                    repr(value.from_dict({}))
                except ValueError:
                    pass
        if place[0] == "client.py":
            for kind in (module.Client, module.AsyncClient):
                repr(kind(token="t", base_url="https://a.example"))
    sys.path.remove(root)
    importlib.invalidate_caches()
    for module in [module for module in sys.modules if module.partition(".")[0] == name]:
        if not module.startswith(name + "._runtime"):
            del sys.modules[module]
print("used", used, "ran" if os.path.exists(mark) else "clean")
"""


def use(roots: list[Path], mark: str = MARK) -> subprocess.CompletedProcess[str]:
    return python("-c", USE, mark, *roots)


class Attacked:
    """Writes documents with payloads in them and remembers what came of it."""

    def __init__(self, folder: Path, new_document: Callable[[], Any]) -> None:
        self.folder = folder
        self.new_document = new_document
        self.written: list[Path] = []

    def attack(self, kind: str, payload: str) -> Problem | None:
        """One payload in a document of its own; what the generator says if it stops."""
        document = self.new_document()
        {**TEXTS, **NAMES}[kind](document, PAYLOADS[payload])
        return self.generate(f"{kind} {payload}", document)

    def attack_at_once(self, kind: str, payloads: Sequence[str]) -> Problem | None:
        """All payloads in one document, each with calls and types of its own."""
        whole = self.new_document()
        whole["paths"], whole["components"]["schemas"] = {}, {}
        for number, payload in enumerate(payloads):
            document = self.new_document()
            TEXTS[kind](document, PAYLOADS[payload])
            add(document, whole, number)
        return self.generate(kind, whole)

    def generate(self, name: str, document: Any) -> Problem | None:
        root = self.folder / name
        root.mkdir()
        spec = self.folder / "spec.json"
        spec.write_text(json.dumps(document), encoding="utf-8")
        try:
            build = Build(load(spec), ROOT / "templates")
            build.write(root / build.package)
        except BrokenOutput:
            raise
        except Problem as problem:
            return problem
        assert [path.name for path in root.iterdir()] == [build.package]
        self.written.append(root)
        for name, text in pages(build, self.folder / "reference", root / build.package).items():
            (check_index if name == INDEX else check_page)(text.decode("utf-8"))
        return None


def add(document: Any, whole: Any, number: int) -> None:
    """Put the calls and types of a document into another, under names that carry a number."""
    for path, item in document["paths"].items():
        for call in item.values():
            call["operationId"] = f"{call['operationId']}_{number}"
            call["tags"] = [f"things{number}"]
        whole["paths"][path.replace("/things", f"/things{number}")] = item
    schemas = document["components"]["schemas"]
    for node in (post(document)["requestBody"]["content"]["application/json"]["schema"], fields(document)["part"]):
        node["$ref"] = f"{node['$ref']}{number}"
    for name, schema in schemas.items():
        whole["components"]["schemas"][f"{name}{number}"] = schema
        schema.pop("title", None)


def check_page(text: str) -> None:
    assert text.count(START) == 1
    assert text.count(END) == 1
    assert text.index(START) < text.index(END) < text.index("### ")
    check_layout(text, 5)


def check_index(text: str) -> None:
    check_layout(text, 4)


def check_layout(text: str, cells: int) -> None:
    """Nothing of the document begins a block, a tag, a heading with an anchor or a cell."""
    outside = re.sub(r"^```python\n.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    assert not re.search(r"^ {0,3}(```|~~~)", outside, re.MULTILINE)
    outside = re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", outside)
    assert not re.search(r"<(?!a name=|/a>|!-- CUSTOM)", outside)
    anchors = re.findall(r'<a name="(\w+)"></a>', outside)
    assert len(anchors) == len(set(anchors)) == text.count("\n### ")
    for line in text.splitlines():
        if line.startswith("|") and not line.startswith(("| Parameter", "| Operation", "|--")):
            # A pipe ends a cell unless an odd number of backslashes stands before it.
            pipes = [found for found in re.finditer(r"(?<!\\)(\\*)\|", line) if len(found[1]) % 2 == 0]
            assert len(pipes) == cells, line


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory, new_document: Any) -> Attacked:
    assert not Path(MARK).exists()
    return Attacked(tmp_path_factory.mktemp("hostile"), new_document)


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """No formatting (it runs nothing; that it accepts the output is tested below). Files that are the same for many
    documents are compiled once."""

    def compiled(text: str, *given: Any, **options: Any) -> None:
        if text not in COMPILED:
            compile(text, *given, **options)
            COMPILED.add(text)

    monkeypatch.setattr("generator.build.compile", compiled, raising=False)
    monkeypatch.setattr("generator.build.format_folder", lambda folder: None)


COMPILED: set[str] = set()
UNREADABLE = "half a letter"
EVERYWHERE = {"quotes", "new line", "keyword", "dunder", "look-alike", UNREADABLE}
"""Those that names are made of in the end, or ended by; all others are at every tenth place in the default run."""


@pytest.mark.parametrize("kind", [kind for kind in TEXTS if kind != "whole_document"])
def test_texts_are_written_as_texts(kind: str, attacked: Attacked) -> None:
    assert attacked.attack_at_once(kind, [payload for payload in PAYLOADS if payload != UNREADABLE]) is None
    assert str(attacked.attack(kind, UNREADABLE)).startswith("spec.json cannot be read")


@pytest.mark.parametrize("often", [True, pytest.param(False, marks=pytest.mark.long)])
@pytest.mark.parametrize("kind", ["whole_document", *NAMES])
def test_one_of_a_kind_is_refused_or_made_harmless(kind: str, often: bool, attacked: Attacked) -> None:
    """Names, and the texts of which a document has one of each: every payload has a document of its own."""
    place = list(NAMES).index(kind) if kind in NAMES else 0
    chosen = [
        payload
        for number, payload in enumerate(PAYLOADS)
        if (payload in EVERYWHERE or (number + place) % 10 == 0) == often
    ]
    refused = {payload: problem for payload in chosen if (problem := attacked.attack(kind, payload))}
    assert all(problem.lines for problem in refused.values())
    assert kind in NAMES or set(refused) <= {UNREADABLE}


@pytest.mark.slow
def test_nothing_ran(attacked: Attacked, monkeypatch: pytest.MonkeyPatch) -> None:
    """Imports everything that the tests before have written; what holds many payloads is laid out by ruff first."""
    for kind in TEXTS if not attacked.written else ():  # run alone, or by another process than the attacks
        attacked.attack(kind, "three quotes")
    monkeypatch.undo()
    for root in attacked.written:
        if root.name in TEXTS:
            format_folder(root)
    done = use(attacked.written)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.endswith("clean\n")
    assert int(done.stdout.split()[1]) > len(attacked.written)
    assert not Path(MARK).exists()


CARELESS = {
    "doc": ("descriptions", "three quotes", lambda value, indent=0: Code(raw(value))),
    "literal": ("extensions", "quotes", lambda value: Code(f"'{value}'")),
}


@pytest.mark.parametrize("filter", CARELESS)
def test_the_detector_works(filter: str, new_document: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without one of the filters the same payload runs: the tests above can fail."""
    kind, payload, careless = CARELESS[filter]
    keep = getattr(texts, filter)

    def hit(value: Any) -> bool:
        return isinstance(value, str | UntrustedString) and raw(value) == text

    mark = str(tmp_path / "ran")
    text = PAYLOADS[payload].replace(MARK, mark)
    document = new_document()
    TEXTS[kind](document, text)
    spec = tmp_path / "spec.json"
    spec.write_text(json.dumps(document))
    for careful in (True, False):
        build = Build(load(spec), ROOT / "templates")
        root = tmp_path / f"root {careful}"
        root.mkdir()
        build.write(root / build.package)
        done = use([root], mark)
        assert (done.returncode == 0) is careful, done.stderr
        assert Path(mark).exists() is not careful
        monkeypatch.setattr(f"generator.build.{filter}", lambda *given: (careless if hit(given[0]) else keep)(*given))
