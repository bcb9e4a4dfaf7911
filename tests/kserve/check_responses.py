"""Calls a running server with KServe's unmodified gRPC client, and checks every response.

    PYTHONPATH=.runtime/python python3 tests/kserve/check_responses.py ADDRESS EXPECTED

EXPECTED is a JSON file with the inputs and the response of certimix.v1 Predict to them.
"""

import asyncio
import json
import sys
import types
from importlib.util import find_spec
from pathlib import Path

import grpc
import numpy as np

MODEL = "certimix"


class UnusedModule(types.ModuleType):
    """A stand-in for a module that the client imports and never calls on the way of a gRPC request.

    The package kserve contains a model server too. Its web server, its data frames and its client of Kubernetes are some
    hundred megabytes.
    """

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


def import_client() -> tuple:
    """The modules of the client, without what the package imports beside it."""
    spec = find_spec("kserve")
    assert spec is not None and spec.origin is not None, "kserve is not installed: run `make python-packages`"
    package = types.ModuleType("kserve")
    package.__path__ = [str(Path(spec.origin).parent)]
    sys.modules["kserve"] = package
    protocol = types.ModuleType("kserve.protocol")
    protocol.__path__ = [str(Path(spec.origin).parent / "protocol")]
    sys.modules["kserve.protocol"] = protocol
    for name in (
        *("cloudevents", "cloudevents.conversion", "cloudevents.http", "fastapi", "fastapi.responses", "httpx", "pandas"),
        *("psutil", "yaml", "kserve.protocol.rest", "kserve.protocol.rest.v2_datamodels"),
    ):
        sys.modules[name] = UnusedModule(name)
    from kserve import inference_client
    from kserve.protocol import infer_type

    return inference_client.InferenceGRPCClient, infer_type


InferenceGRPCClient, infer_type = import_client()


def request(values: np.ndarray, binary_data: bool, size: int | None = None, **arguments) -> "infer_type.InferRequest":
    one = infer_type.InferInput("input", list(values.shape), "FP32")
    one.set_data_from_numpy(values, binary_data=binary_data)
    if size is not None:
        one.parameters["binary_data_size"] = size
    return infer_type.InferRequest(model_name=MODEL, infer_inputs=[one], **arguments)


def check_result(response, expected: dict, names: list) -> None:
    assert [output.name for output in response.outputs] == names, response
    for name in names:
        found = response.get_output_by_name(name).as_numpy()
        exact = np.array(expected[name])
        if name == "radius":
            # The radius is that of Predict, rounded down to float32.
            assert (found <= exact).all() and (np.nextafter(found, np.float32(np.inf)) > exact).all(), (found, exact)
        else:
            np.testing.assert_array_equal(found, exact.astype(found.dtype), err_msg=name)


async def assert_refused(client, wrong, words: str) -> None:
    try:
        await client.infer(wrong)
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT and words in error.details(), error
    else:
        raise AssertionError(f"the server accepted an invalid request: {wrong}")


async def check(address: str, expected: dict) -> None:
    inputs = np.array(expected["inputs"], dtype=np.float32)
    default = ["log_probs", "class", "radius", "certified"]
    async with InferenceGRPCClient(address, timeout=60) as client:
        assert await client.is_server_live() and await client.is_server_ready() and await client.is_model_ready(MODEL)
        sent = request(inputs, binary_data=True)
        # The client itself describes the raw contents, which this test is about.
        assert sent.to_grpc().inputs[0].parameters["binary_data_size"].int64_param == inputs.nbytes
        check_result(await client.infer(sent), expected, default)
        check_result(await client.infer(request(inputs, binary_data=False)), expected, default)
        outputs = [infer_type.RequestedOutput(name, parameters={"binary_data": True}) for name in ("radius", "class")]
        selected = request(inputs, True, request_outputs=outputs, parameters={"binary_data_output": True, "priority": 2})
        check_result(await client.infer(selected), expected, ["radius", "class"])
        wrong = request(inputs, True, size=inputs.nbytes - 1)
        await assert_refused(client, wrong, "inputs[0].parameters.binary_data_size")
    print("3 responses and 1 error match the expectations")


def main() -> None:
    address, path = sys.argv[1:]
    asyncio.run(check(address, json.loads(Path(path).read_text(encoding="utf-8"))))


if __name__ == "__main__":
    main()
