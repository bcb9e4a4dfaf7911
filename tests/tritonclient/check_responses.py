"""Calls a running server with NVIDIA's unmodified client, and checks every response.

    PYTHONPATH=.runtime/python python3 tests/tritonclient/check_responses.py ADDRESS EXPECTED

EXPECTED is a JSON file with the inputs and the response of certimix.v1 Predict to them.
"""

import json
import queue
import sys

import numpy as np
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

MODEL = "certimix"
TIMEOUT_S = 60


def tensor(values: np.ndarray, datatype: str = "FP32", name: str = "input") -> triton.InferInput:
    one = triton.InferInput(name, list(values.shape), datatype)
    one.set_data_from_numpy(values)
    return one


def parameter(response, name: str):
    choice = response.parameters[name]
    return getattr(choice, choice.WhichOneof("parameter_choice"))


def assert_refused(client, status: str, words: str, **arguments) -> None:
    try:
        client.infer(**arguments)
    except InferenceServerException as error:
        assert error.status() == f"StatusCode.{status}", error
        assert words in error.message(), f"no {words!r} in {error}"
    else:
        raise AssertionError(f"the server accepted an invalid request: {arguments}")


def check_server(client) -> None:
    assert client.is_server_live(client_timeout=TIMEOUT_S)
    assert client.is_server_ready()
    assert client.is_model_ready(MODEL) and client.is_model_ready(MODEL, "1")
    server = client.get_server_metadata()
    assert server.name == "certimix" and "statistics" in server.extensions, server


def check_metadata(client, expected: dict) -> None:
    metadata = client.get_model_metadata(MODEL)
    (one,) = metadata.inputs
    width = len(expected["inputs"][0])
    assert (one.name, one.datatype, list(one.shape)) == ("input", "FP32", [-1, width]), one
    classes = len(expected["log_probs"][0])
    outputs = {output.name: (output.datatype, list(output.shape)) for output in metadata.outputs}
    assert outputs == {
        "log_probs": ("FP32", [-1, classes]),
        "class": ("INT64", [-1]),
        "radius": ("FP32", [-1]),
        "certified": ("BOOL", [-1]),
        "standard_probs": ("FP32", [-1, classes]),
        "robust_probs": ("FP32", [-1, classes]),
        "robust_weight": ("FP32", [-1]),
    }, outputs
    config = client.get_model_config(MODEL).config
    assert config.name == MODEL and config.max_batch_size == 64, config
    assert [(one.name, list(one.dims)) for one in config.input] == [("input", [width])], config
    assert {one.name for one in config.output} == set(outputs), config
    assert config.parameters["config_revision"].string_value == expected["config_revision"], config


def check_result(result, expected: dict, names: list) -> None:
    response = result.get_response()
    assert [output.name for output in response.outputs] == names, response.outputs
    for name in names:
        found = result.as_numpy(name)
        if name == "radius":
            # The radius is that of Predict, rounded down to the nearest float32.
            exact = np.array(expected[name])
            assert found.dtype == np.float32 and found.shape == exact.shape
            assert (found <= exact).all() and (np.nextafter(found, np.float32(np.inf)) > exact).all(), (found, exact)
            assert found.max() > 0
        else:
            dtype = {"class": np.int64, "certified": np.bool_}.get(name, np.float32)
            assert found.dtype == dtype, (name, found.dtype)
            np.testing.assert_array_equal(found, np.array(expected[name], dtype=dtype), err_msg=name)
    assert parameter(response, "config_revision") == expected["config_revision"]
    assert parameter(response, "alpha") == expected["alpha"]
    assert parameter(response, "norm") == "l2"
    # The last input cannot be certified.
    assert "margin" in parameter(response, "reasons"), response.parameters


def check_inference(client, expected: dict) -> int:
    inputs = np.array(expected["inputs"], dtype=np.float32)
    default = client.infer(MODEL, [tensor(inputs)], request_id="seven")
    check_result(default, expected, ["log_probs", "class", "radius", "certified"])
    response = default.get_response()
    assert (response.id, response.model_name, response.model_version) == ("seven", MODEL, "1"), response
    names = ["robust_probs", "radius", "class", "robust_weight", "standard_probs"]
    outputs = [triton.InferRequestedOutput(name) for name in names]
    requested = client.infer(
        MODEL, [tensor(inputs)], model_version="1", outputs=outputs, priority=2, timeout=10_000_000
    )
    check_result(requested, expected, names)

    responses = queue.Queue()
    client.async_infer(MODEL, [tensor(inputs)], callback=lambda result, error: responses.put((result, error)))
    result, error = responses.get(timeout=TIMEOUT_S)
    assert error is None, error
    check_result(result, expected, ["log_probs", "class", "radius", "certified"])
    return 3


def check_errors(client, expected: dict) -> int:
    """Sends invalid requests, and returns how many of them reached the model."""
    inputs = np.array(expected["inputs"], dtype=np.float32)
    good = [tensor(inputs)]
    assert_refused(client, "NOT_FOUND", '"certimix"', model_name="resnet", inputs=good)
    assert_refused(client, "NOT_FOUND", 'version "1"', model_name=MODEL, model_version="2", inputs=good)
    wrong = [
        ("inputs[0].name", {"inputs": [tensor(inputs, name="image")]}),
        ("inputs[0].datatype", {"inputs": [tensor(inputs.astype(np.float64), "FP64")]}),
        ("inputs[0].shape", {"inputs": [tensor(inputs[:, :3])]}),
        ("inputs", {"inputs": good + good}),
        ("raw_input_contents[0]", {"inputs": [tensor(np.full_like(inputs, np.nan))]}),
        ("outputs[0].name", {"inputs": good, "outputs": [triton.InferRequestedOutput("logits")]}),
        ("outputs[0].parameters", {"inputs": good, "outputs": [triton.InferRequestedOutput("class", class_count=2)]}),
        ("parameters.sequence_id", {"inputs": good, "sequence_id": 7, "sequence_start": True}),
        ("parameters.priority", {"inputs": good, "priority": 9}),
        ("temperature", {"inputs": good, "parameters": {"temperature": 2}}),
    ]
    for words, arguments in wrong:
        assert_refused(client, "INVALID_ARGUMENT", words, model_name=MODEL, **arguments)
    # No response is possible within a microsecond.
    assert_refused(client, "DEADLINE_EXCEEDED", "", model_name=MODEL, inputs=good, timeout=1)
    return len(wrong) + 1


def check_compression(client, expected: dict) -> None:
    """gzip has the same answers, and other compressions are refused."""
    # gRPC compresses a message only if it becomes shorter.
    copies = 20
    inputs = [tensor(np.tile(np.array(expected["inputs"], dtype=np.float32), (copies, 1)))]
    plain = client.infer(MODEL, inputs)
    for answer in (client.infer(MODEL, inputs, compression_algorithm="gzip"), infer_async(client, inputs)):
        for name in ("log_probs", "class", "radius", "certified"):
            np.testing.assert_array_equal(answer.as_numpy(name), plain.as_numpy(name), err_msg=name)
        assert len(answer.as_numpy("class")) == copies * len(expected["inputs"])
    assert_refused(client, "UNIMPLEMENTED", "gzip", model_name=MODEL, inputs=inputs, compression_algorithm="deflate")


def infer_async(client, inputs: list):
    responses = queue.Queue()
    client.async_infer(
        MODEL, inputs, callback=lambda result, error: responses.put((result, error)), compression_algorithm="gzip"
    )
    result, error = responses.get(timeout=TIMEOUT_S)
    assert error is None, error
    return result


def check_statistics(client, expected: dict, answered: int, failed: int) -> None:
    (found,) = client.get_inference_statistics(MODEL).model_stats
    assert (found.name, found.version) == (MODEL, "1"), found
    assert found.inference_count == answered * len(expected["inputs"]), found
    stats = found.inference_stats
    assert (stats.success.count, stats.fail.count) == (answered, failed), found
    assert stats.compute_infer.ns > 0 and found.last_inference > 1_600_000_000_000, found
    parts = (stats.queue, stats.compute_input, stats.compute_infer, stats.compute_output)
    assert sum(part.ns for part in parts) <= stats.success.ns, found


def main() -> None:
    address, path = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        expected = json.load(file)
    with triton.InferenceServerClient(url=address) as client:
        check_server(client)
        check_metadata(client, expected)
        answered = check_inference(client, expected)
        failed = check_errors(client, expected)
        check_statistics(client, expected, answered, failed)
        check_compression(client, expected)
    print(f"{answered} responses and {failed + 2} errors match the expectations")


if __name__ == "__main__":
    main()
