"""Drives the real Functions worker (azure-functions-runtime) over function_app.py, in a process of its own.

The worker takes its protobuf classes from the caller, so plain Python stands in for them.
"""

import asyncio
import json
import logging
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

ROOT = Path(__file__).parents[2]
TIMEOUT_SECONDS = 90
_CHILD = "import sys; from tests.contract.worker_harness import child; child(*sys.argv[1:])"


@dataclass(frozen=True)
class Call:
    """One invocation: the function, its trigger's parameter, the data as (kind, value), its metadata as JSON."""

    function: str
    parameter: str
    data: tuple[str, Any]
    metadata: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What the worker sent back: the error's message, or the HTTP status, headers and body where there are any."""

    error: str | None = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Outcome:
    """Indexing's error, or the functions with their raw bindings, the answers round by round, and the logs."""

    error: str | None
    bindings: Mapping[str, list[dict[str, object]]]
    answers: Sequence[Sequence[Answer]]
    modules: frozenset[str]
    logs: Sequence[str] = ()


def http_request(method: str, path: str, body: bytes = b"", **headers: str) -> Call:
    """A request as the host sends it to the function `ingest`."""
    request = SimpleNamespace(
        method=method,
        url=f"http://localhost:7071{path}",
        headers={"content-type": "application/json", **headers},
        body=TypedData(bytes=body),
        params={},
        query={},
    )
    return Call("ingest", "req", ("http", request))


def rabbitmq_message(parameter: str, body: bytes) -> Call:
    """A message of the RabbitMQ trigger."""
    return Call("score", parameter, ("bytes", body))


def service_bus_batch(parameter: str, bodies: Sequence[bytes], **changes: Sequence[object]) -> Call:
    """A batch of the Service Bus trigger with cardinality many; the host drops empty strings from the arrays."""
    metadata = {
        "UserPropertiesArray": [{} for _ in bodies],
        "MessageIdArray": [f"m-{number}" for number, _ in enumerate(bodies)],
        "DeliveryCountArray": [1 for _ in bodies],
    } | changes
    return Call("score", parameter, ("collection_bytes", SimpleNamespace(bytes=list(bodies))), metadata)


def run_worker(environment: Mapping[str, str], *rounds: Sequence[Call]) -> Outcome:
    """Index function_app.py under `environment` in a fresh process, then run each round's calls at once."""
    with tempfile.TemporaryDirectory() as folder:
        plan, result = Path(folder, "plan"), Path(folder, "result")
        plan.write_bytes(pickle.dumps(rounds))
        done = subprocess.run(
            [sys.executable, "-c", _CHILD, str(plan), str(result)],
            cwd=ROOT,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        assert result.exists(), done.stderr
        outcome: Outcome = pickle.loads(result.read_bytes())  # noqa: S301 - written by our own child
        return outcome


class Message(SimpleNamespace):
    """Any protobuf message: a bag of fields."""


class TypedData(Message):
    """The one message whose set field matters."""

    def WhichOneof(self, _group: str) -> str | None:  # noqa: N802 - protobuf's name
        return next(iter(vars(self)), None)


class ParameterBinding(Message):
    """A parameter with its data."""

    def WhichOneof(self, _group: str) -> str:  # noqa: N802 - protobuf's name
        return "data"


class StatusResult(Message):
    """The outcome of a request."""

    Failure, Success = 0, 1


class BindingInfo(Message):
    """A binding; the directions are protobuf's enumeration."""

    out, inout = 1, 2


PROTOS = SimpleNamespace(
    BindingInfo=BindingInfo,
    InvocationResponse=Message,
    FunctionMetadataResponse=Message,
    ParameterBinding=ParameterBinding,
    RpcException=Message,
    RpcFunctionMetadata=Message,
    RpcHttp=Message,
    StatusResult=StatusResult,
    TypedData=TypedData,
    WorkerInitResponse=Message,
    WorkerMetadata=Message,
)


class HostLogs(logging.Handler):
    """Stands in for the handler that the worker puts on the root logger: it sends what is formatted."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line."""
        self.lines.append(self.format(record))


async def _work(rounds: Sequence[Sequence[Call]]) -> Outcome:
    import azure_functions_runtime as worker  # noqa: PLC0415 - in the child only, and only on Python 3.13

    logs = HostLogs()
    logging.basicConfig(handlers=[logs], level=logging.INFO)
    worker.start_threadpool_executor()
    started = await worker.worker_init_request(_init_request())
    if started.result.status != StatusResult.Success:
        return Outcome(started.result.exception.message, {}, (), frozenset(sys.modules))
    metadata = (await worker.functions_metadata_request(None)).function_metadata_results
    bindings = {each.name: [json.loads(binding) for binding in each.raw_bindings] for each in metadata}
    ids = {each.name: each.function_id for each in metadata}
    modules = frozenset(sys.modules)
    answers = []
    for calls in rounds:
        invocations = [
            _invoke(worker, ids[call.function], _as_sent(call, bindings[call.function])) for call in calls
        ]
        answers.append([_answer(each) for each in await asyncio.gather(*invocations)])
    return Outcome(None, bindings, answers, modules, logs.lines)


def _init_request() -> Message:
    request = Message(worker_init_request=Message(capabilities={}, function_app_directory=str(ROOT)))
    return Message(request=request, properties={"host": "127.0.0.1", "protos": PROTOS})


def _as_sent(call: Call, bindings: Sequence[Mapping[str, object]]) -> Call:
    """The host sends bytes only to bindings with data type binary; others get text, undecodable bytes replaced."""
    kind, value = call.data
    if kind == "http" or bindings[0].get("dataType") == "BINARY":
        return call
    if kind == "bytes":
        return replace(call, data=("string", value.decode(errors="replace")))
    texts = [body.decode(errors="replace") for body in value.bytes]
    return replace(call, data=("collection_string", SimpleNamespace(string=texts)))


async def _invoke(worker: Any, function_id: str, call: Call) -> Message:
    kind, value = call.data
    invocation = Message(
        invocation_id="invocation-1",
        function_id=function_id,
        input_data=[ParameterBinding(name=call.parameter, data=TypedData(**{kind: value}))],
        trigger_metadata={name: TypedData(json=json.dumps(each)) for name, each in call.metadata.items()},
        trace_context=Message(trace_parent="", trace_state="", attributes={}),
        retry_context=Message(retry_count=0, max_retry_count=0, exception=None),
    )
    response: Message = await worker.invocation_request(Message(request=Message(invocation_request=invocation)))
    return response


def _answer(response: Message) -> Answer:
    if response.result.status != StatusResult.Success:
        return Answer(error=response.result.exception.message)
    if response.return_value is None:
        return Answer()
    http = response.return_value.http
    return Answer(None, int(http.status_code), dict(http.headers), http.body.bytes)


def child(plan: str, result: str) -> None:
    """What the child process does."""
    rounds = pickle.loads(Path(plan).read_bytes())  # noqa: S301 - written by our own parent
    Path(result).write_bytes(pickle.dumps(asyncio.run(_work(rounds))))
    os._exit(0)  # whatever threads the functions keep
