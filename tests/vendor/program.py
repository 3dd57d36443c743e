"""Calls the vendor's SDK as its users do, for the tests, in an environment where nothing of ours is installed.

Rule: a line of JSON in, a line of JSON out. An order holds the settings of a client and the calls to make with it: one
after another with `Client`, all at the same time with `AsyncClient`. Answers carry no signatures: queries are cut off.
"""

import asyncio
import functools
import inspect
import json
import operator
import pathlib
import sys

import pydantic
from magic_hour import AsyncClient, Client


async def main():
    while line := await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(await run(json.loads(line))), flush=True)


# One client for each pair of key and address, as in a program that runs for long.
client_with = functools.cache(Client if sys.argv[1] == "sync" else AsyncClient)


async def run(order):
    client = client_with(**order["client"])

    async def one(call):
        try:
            value = method(client, call)(**arguments(call))
            return result(await value if inspect.isawaitable(value) else value)
        except Exception as problem:  # noqa: BLE001  (whatever the SDK raises is the answer)
            return error(problem)

    return await asyncio.gather(*map(one, order["calls"]))


def method(client, call):
    return operator.attrgetter(call["method"])(client.v1)


def arguments(call):
    return {name: given(value) for name, value in call["arguments"].items()}


def given(value):
    """JSON has neither paths nor open files: `{"path": ...}` and `{"open": ...}` stand for them."""
    if isinstance(value, dict) and set(value) == {"path"}:
        return pathlib.Path(value["path"])
    if isinstance(value, dict) and set(value) == {"open"}:
        return open(value["open"], "rb")
    return value


def result(value):
    return {"result": unsigned(value.model_dump(by_alias=True) if isinstance(value, pydantic.BaseModel) else value)}


def error(problem):
    """Not the message: those of storage hold the whole URL."""
    return {
        "error": {
            "type": type(problem).__name__,
            "status": getattr(problem, "status_code", None),
            "body": getattr(problem, "body", None),
        }
    }


def unsigned(value):
    if isinstance(value, dict):
        return {name: unsigned(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [unsigned(inner) for inner in value]
    return value.partition("?")[0] if isinstance(value, str) and value.startswith("http") else value


asyncio.run(main())
