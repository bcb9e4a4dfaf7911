"""A server of the Open Inference Protocol in Python, with grpc.aio and onnxruntime's own package.

    python3 peer_server.py --packages FOLDER --standard G.onnx --robust H.onnx [--threads N]

It answers ModelInfer with the mixed logits and the class of the same two models, without a certificate. With `--threads 0`
the models run on the thread of the event loop, which is fastest for tiny models. Otherwise both models of a request run at once
on N threads.
"""

import argparse
import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor

ALPHA = 0.5


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", required=True, help="the folder of the Python packages")
    parser.add_argument("--standard", required=True, help="the ONNX file of g")
    parser.add_argument("--robust", required=True, help="the ONNX file of h")
    parser.add_argument("--threads", type=int, default=0, help="threads that run models; 0 is the event loop's own")
    return parser.parse_args()


ARGUMENTS = parse_arguments()
sys.path.insert(0, ARGUMENTS.packages)

import grpc  # noqa: E402
import numpy as np  # noqa: E402
import onnxruntime  # noqa: E402
from tritonclient.grpc import service_pb2, service_pb2_grpc  # noqa: E402

DTYPES = {"FP32": np.dtype("<f4"), "UINT8": np.dtype("u1")}


def open_session(path: str) -> onnxruntime.InferenceSession:
    """Opens a session with the options of the server."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


class Mixture(service_pb2_grpc.GRPCInferenceServiceServicer):
    """Both models and the threads that run them."""

    def __init__(self) -> None:
        self.sessions = [open_session(ARGUMENTS.standard), open_session(ARGUMENTS.robust)]
        self.pool = ThreadPoolExecutor(ARGUMENTS.threads) if ARGUMENTS.threads else None

    async def run_both(self, rows: np.ndarray) -> list[np.ndarray]:
        calls = [(session, {session.get_inputs()[0].name: rows}) for session in self.sessions]
        if self.pool is None:
            return [session.run(None, inputs)[0] for session, inputs in calls]
        loop = asyncio.get_running_loop()
        tasks = [loop.run_in_executor(self.pool, session.run, None, inputs) for session, inputs in calls]
        return [outputs[0] for outputs in await asyncio.gather(*tasks)]

    async def ModelInfer(self, request, context):  # noqa: N802 (the name of the method on the wire)
        tensor = request.inputs[0]
        if tensor.datatype not in DTYPES or len(request.raw_input_contents) != 1:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "inputs[0] must be FP32 or UINT8 with raw contents")
        rows = np.frombuffer(request.raw_input_contents[0], DTYPES[tensor.datatype]).reshape(tensor.shape)
        if tensor.datatype == "UINT8":
            rows = rows.astype(np.float32) / np.float32(255)
        standard, robust = await self.run_both(rows)
        log_probs = np.log((1 - ALPHA) * softmax(standard) + ALPHA * softmax(robust)).astype("<f4")
        classes = log_probs.argmax(axis=1).astype("<i8")
        response = service_pb2.ModelInferResponse(model_name=request.model_name, model_version="1", id=request.id)
        for name, datatype, values in (("log_probs", "FP32", log_probs), ("class", "INT64", classes)):
            response.outputs.add(name=name, datatype=datatype, shape=values.shape)
            response.raw_output_contents.append(values.tobytes())
        return response


async def serve() -> None:
    server = grpc.aio.server()
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(Mixture(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"certimix is ready on 127.0.0.1:{port}, a peer", file=sys.stderr, flush=True)
    await server.wait_for_termination()


asyncio.run(serve())
