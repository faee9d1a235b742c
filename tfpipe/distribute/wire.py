"""Calls to the servers of a tf.data service, past TensorFlow, whose own client waits forever."""

from __future__ import annotations

import time
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

# The part of TensorFlow's protocol that is used here, since its wheels have no Python classes for it:
# tensorflow/core/data/service/{dispatcher,common}.proto, the same in TensorFlow 2.17 and 2.21. A field
# is (number, what it holds); a list holds any number of them.
_MESSAGES: dict[str, dict[str, tuple[int, Any]]] = {
    "Empty": {},
    "WorkerInfo": {"address": (1, str)},
    "GetWorkersResponse": {"workers": (1, ["WorkerInfo"])},
    "TaskDef": {"task_id": (4, int), "iteration_id": (5, int)},
    "WorkerHeartbeatRequest": {"worker_address": (1, str)},
    "WorkerHeartbeatResponse": {"new_tasks": (1, ["TaskDef"])},
    "TaskProgress": {"task_id": (1, int), "completed": (2, bool)},
    "WorkerUpdateRequest": {"worker_address": (1, str), "updates": (2, ["TaskProgress"])},
}
_PACKAGE = "tfpipe.wire"
CHANNEL = [
    ("grpc.max_receive_message_length", -1),  # a task brings its graph with it
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 1000),  # gRPC waits up to 120 s by itself
]


def _message_classes() -> dict[str, Any]:
    """Makes a class for each of `_MESSAGES`, in a pool that no other package's messages are in."""
    field = descriptor_pb2.FieldDescriptorProto
    types = {str: field.TYPE_STRING, int: field.TYPE_INT64, bool: field.TYPE_BOOL}
    file = descriptor_pb2.FileDescriptorProto(
        name="tfpipe/wire.proto", package=_PACKAGE, syntax="proto3"
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for label, (number, holds) in fields.items():
            part = message.field.add(name=label, number=number, label=field.LABEL_OPTIONAL)
            if isinstance(holds, list):
                part.label, part.type = field.LABEL_REPEATED, field.TYPE_MESSAGE
                part.type_name = f".{_PACKAGE}.{holds[0]}"
            else:
                part.type = types[holds]
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))
        for name in _MESSAGES
    }


Message = _message_classes()


def call(
    channel: grpc.Channel,
    service: str,
    method: str,
    answer: str,
    request: Any = None,
    timeout: float = 10,
) -> Any:
    """Returns the future of an answer, of the message class that `answer` names."""
    made = channel.unary_unary(
        f"/tensorflow.data.{service}Service/{method}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=Message[answer].FromString,
    )
    return made.future(Message["Empty"]() if request is None else request, timeout=timeout)


def workers_of(address: str, patience: float) -> list[str]:
    """Returns the addresses of the workers that a dispatcher knows.

    Args:
        address: of the dispatcher, "grpc://host:port".
        patience: seconds to wait for it, since it may just be starting.

    Raises:
        ConnectionError: nobody answers there, or another kind of server does.
    """
    end = time.monotonic() + patience
    with grpc.insecure_channel(address.removeprefix("grpc://"), options=CHANNEL) as channel:
        while True:
            left = max(end - time.monotonic(), 0.1)
            question = call(channel, "Dispatcher", "GetWorkers", "GetWorkersResponse", timeout=left)
            try:
                return [worker.address for worker in question.result().workers]
            except grpc.RpcError as err:
                code, details = question.code(), question.details()
                if code == grpc.StatusCode.UNIMPLEMENTED:
                    raise ConnectionError(
                        f"The server at {address!r} is not the dispatcher of a tf.data service. Pass the "
                        "address that `tfpipe service dispatcher` printed, not a worker's."
                    ) from err
                if time.monotonic() >= end:
                    raise ConnectionError(
                        f"No dispatcher of a tf.data service answers at {address!r} within {patience:g} s: "
                        f"{details}. Start one with `tfpipe service dispatcher --port PORT`, or correct the "
                        "address."
                    ) from err
            time.sleep(0.2)
