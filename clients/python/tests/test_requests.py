"""Arrays, addresses, deadlines, errors and retries, without a server."""

import json
import tempfile
import unittest
import warnings
from pathlib import Path
from typing import Dict, List, Tuple

import grpc
import numpy

import certimix
from certimix import _connection, _errors, _tensors, _waiting
from certimix.v1 import mixed_classifier_pb2 as pb


class TensorTest(unittest.TestCase):
    def test_values_and_shapes(self) -> None:
        floats = numpy.arange(6, dtype=numpy.float32).reshape(2, 3)
        one, batch = _tensors.tensor(floats, batch=False), _tensors.tensor(floats, batch=True)
        self.assertEqual((list(one.shape), list(batch.shape)), ([1, 2, 3], [2, 3]))
        self.assertEqual(one.data, floats.tobytes())
        # Big-endian and strided arrays have the same values.
        for same in [floats.astype(">f4"), numpy.asfortranarray(floats), numpy.repeat(floats, 2, axis=1)[:, ::2]]:
            self.assertEqual(_tensors.tensor(same, batch=True), batch)
        self.assertEqual(_tensors.tensor(numpy.zeros(2, numpy.uint8), batch=False).dtype, pb.DATA_TYPE_UINT8)

    def test_other_types_are_refused_and_not_rounded(self) -> None:
        for values in [numpy.zeros(4), [0.5], numpy.zeros(4, numpy.int64), numpy.zeros(4, numpy.float16), [True]]:
            with self.assertRaises(certimix.InvalidArgumentError) as caught:
                _tensors.tensor(values, batch=False)
            self.assertEqual(caught.exception.violations[0].field, "input")
        masked = numpy.ma.masked_array(numpy.zeros(4, numpy.float32), mask=[0, 1, 0, 0])
        with self.assertRaises(certimix.InvalidArgumentError):
            _tensors.tensor(masked, batch=False)
        with self.assertRaises(certimix.InvalidArgumentError):
            _tensors.tensor(numpy.float32(1.0), batch=True)

    def test_no_call_is_without_a_deadline(self) -> None:
        for deadline in [0.0, -1.0, float("nan"), float("inf"), 1e9]:
            with self.subTest(deadline), self.assertRaises(certimix.InvalidArgumentError):
                certimix.Client("127.0.0.1:1", deadline=deadline)
        with certimix.Client("127.0.0.1:1") as client:
            self.assertEqual(client.deadline, certimix.DEFAULT_DEADLINE)
            with self.assertRaises(certimix.InvalidArgumentError):
                client.info(deadline=0.0)


class AddressTest(unittest.TestCase):
    def connect(self, address: str, **options: object) -> _connection.Connection:
        arguments = dict.fromkeys(["tls_ca", "tls_certificate", "tls_key", "tls_server_name", "token_file"])
        return _connection.connection(address, retry=certimix.RetryPolicy(), **{**arguments, **options})  # type: ignore[arg-type]

    def test_addresses(self) -> None:
        for address, target, encrypted in [
            ("unix:///run/a.sock", "unix:///run/a.sock", False),
            ("unix:a.sock", "unix:a.sock", False),
            ("localhost:50051", "localhost:50051", False),
            ("http://[::1]:50051/", "[::1]:50051", False),
            ("https://certimix.example:443", "certimix.example:443", True),
            ("dns:///certimix.example:443", "dns:///certimix.example:443", False),
            ("ipv4:10.0.0.1:1,10.0.0.2:2", "ipv4:10.0.0.1:1,10.0.0.2:2", False),
            ("ipv6:[::1]:1,[::2]:2", "ipv6:[::1]:1,[::2]:2", False),
        ]:
            with self.subTest(address):
                found = self.connect(address)
                self.assertEqual((found.target, found.credentials is not None), (target, encrypted))
                authority = dict(found.options).get("grpc.default_authority")
                has_name = not address.startswith(("unix:", "ipv4:", "ipv6:"))
                self.assertEqual(authority, None if has_name else "localhost")
                config = json.loads(dict(found.options)["grpc.service_config"])
                self.assertEqual("loadBalancingConfig" in config, address.startswith(("dns:", "ipv4:", "ipv6:")))

    def test_wrong_addresses_and_options(self) -> None:
        wrong = ["", "localhost", "unix:", "unix:///", "ftp://a:1", "http://a", "a:b", "a:1/path", "a:99999"]
        for address in [*wrong, "dns:///a", "dns:///a:1,b:2", "ipv4:", "ipv4:10.0.0.1", "ipv4:10.0.0.1:1,", "ipv6:[::1]"]:
            with self.subTest(address), self.assertRaises(ValueError):
                self.connect(address)
        for address in ["unix:///a", "http://a:1"]:
            with self.subTest(address), self.assertRaises(ValueError):
                self.connect(address, tls_server_name="a")
        with self.assertRaises(ValueError):
            self.connect("https://a:1", tls_certificate="a")

    def test_the_token_is_read_for_each_call(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "token"
            file.write_text("# rotated\n\n first \nsecond\n")
            found = self.connect("127.0.0.1:1", token_file=file)
            self.assertEqual(found.metadata(), (("authorization", "Bearer first"),))
            file.write_text("third")
            self.assertEqual(found.metadata(), (("authorization", "Bearer third"),))
            file.write_text("# nothing\n")
            self.assertEqual(found.metadata(), (("authorization", "Bearer third"),))
            with self.assertRaises(ValueError):
                self.connect("127.0.0.1:1", token_file=file)
            file.write_text("third")
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                self.connect("https://certimix.example:1", token_file=file)
                self.connect("unix:///a", token_file=file)
                self.connect("ipv4:127.0.0.1:1,127.0.0.1:2", token_file=file)
                self.assertEqual(caught, [])
                self.connect("certimix.example:1", token_file=file)
                self.connect("ipv4:127.0.0.1:1,10.0.0.1:2", token_file=file)
                self.assertEqual(len(caught), 2)


class RetryTest(unittest.TestCase):
    policy = certimix.RetryPolicy(max_attempts=3, initial_backoff=0.1, max_backoff=0.15)

    def delay(self, error: certimix.CertimixError, attempts: int, time_left: float, unavailable: bool = True) -> object:
        return self.policy.delay(error, attempts, time_left, retry_unavailable=unavailable, jitter=0.5)

    def test_the_pushback_of_the_server_is_obeyed_within_the_deadline(self) -> None:
        refused = certimix.ResourceExhaustedError("full", retry_after=2.0)
        self.assertEqual(self.delay(refused, 1, 2.5), 2.05)
        self.assertIsNone(self.delay(refused, 1, 2.05))
        self.assertIsNone(self.delay(refused, 3, 100.0))

    def test_the_backoff_grows_and_is_bounded(self) -> None:
        lost = certimix.UnavailableError("gone")
        self.assertEqual(self.delay(lost, 1, 1.0), 0.1)
        self.assertEqual(self.delay(lost, 2, 1.0), 0.15)
        self.assertIsNone(self.delay(lost, 1, 0.1))
        self.assertIsNone(self.delay(lost, 1, 1.0, unavailable=False))

    def test_a_call_whose_connection_broke_is_repeated(self) -> None:
        reset = certimix.UnavailableError("the connection broke")
        reset.was_reset = True
        self.assertEqual(self.delay(reset, 1, 1.0, unavailable=False), 0.1)
        self.assertIsNone(self.delay(reset, 3, 1.0, unavailable=False))

    def test_errors_that_a_retry_does_not_help_are_reported(self) -> None:
        for error in [
            certimix.ResourceExhaustedError("the message is too large"),
            certimix.InvalidArgumentError("wrong"),
            certimix.DeadlineExceededError("late"),
            certimix.InternalError("broken"),
            certimix.MalformedAnswerError("NaN"),
        ]:
            self.assertIsNone(self.delay(error, 1, 100.0))

    def test_the_service_config(self) -> None:
        (method,) = json.loads(self.policy.service_config(balanced=True))["methodConfig"]
        self.assertEqual(method["retryPolicy"]["maxAttempts"], 3)
        self.assertEqual(method["retryPolicy"]["retryableStatusCodes"], ["UNAVAILABLE"])
        names = {name["method"] for name in method["name"]}
        methods = set(pb.DESCRIPTOR.services_by_name["MixedClassifier"].methods_by_name)
        self.assertEqual(names, methods - {"PredictStream"})
        (method,) = json.loads(certimix.RetryPolicy(max_attempts=1).service_config(balanced=False))["methodConfig"]
        self.assertNotIn("retryPolicy", method)

    def test_wrong_policies(self) -> None:
        for options in [{"max_attempts": 0}, {"max_attempts": 6}, {"initial_backoff": 0.0}, {"initial_backoff": 1.0}]:
            with self.subTest(options), self.assertRaises(ValueError):
                certimix.RetryPolicy(**options)  # type: ignore[arg-type]


class FailedCall:
    """A `grpc.RpcError` as a call ends with it."""

    def __init__(self, code: grpc.StatusCode, details: str, trailing: Dict[str, str]) -> None:
        self._code, self._details, self._trailing = code, details, trailing

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._details

    def trailing_metadata(self) -> List[Tuple[str, str]]:
        return list(self._trailing.items())

    def initial_metadata(self) -> List[Tuple[str, str]]:
        return [("x-request-id", "1")]


class ErrorTest(unittest.TestCase):
    def test_a_reset_by_a_proxy_is_no_error_of_the_server(self) -> None:
        reset = "Stream removed (RST_STREAM (Received RST_STREAM with error code 2))"
        for code, details in [
            (grpc.StatusCode.INTERNAL, reset),
            (grpc.StatusCode.UNKNOWN, reset),
            (grpc.StatusCode.INTERNAL, "Internal error from Core"),
        ]:
            error = _errors.from_rpc(FailedCall(code, details, {}))
            self.assertIsInstance(error, certimix.UnavailableError)
            self.assertTrue(getattr(error, "was_reset"))
            self.assertIn(details, str(error))
        for failed in [
            FailedCall(grpc.StatusCode.INTERNAL, reset, {"x-request-id": "1"}),
            FailedCall(grpc.StatusCode.INTERNAL, "a model failed", {}),
            FailedCall(grpc.StatusCode.CANCELLED, reset, {}),
        ]:
            self.assertNotIsInstance(_errors.from_rpc(failed), certimix.UnavailableError)

    def test_a_stream_to_an_unavailable_server_is_replaced(self) -> None:
        waiting: _waiting.WaitingRequests[str] = _waiting.WaitingRequests()
        waiting.add(1, "first", 10.0)
        waiting.add(2, "second", 10.0)
        self.assertEqual(waiting.take(pb.PredictStreamResponse(correlation_id=1, response=pb.PredictResponse())), "first")
        self.assertTrue(waiting.is_open(0.0))
        unavailable = pb.RequestError(code=14, message="the models are not loaded yet")
        self.assertEqual(waiting.take(pb.PredictStreamResponse(correlation_id=2, error=unavailable)), "second")
        self.assertFalse(waiting.is_open(0.0))

    def test_errors_of_a_stream_are_those_of_a_call(self) -> None:
        violations = [pb.FieldViolation(field="inputs.shape", description="expected [N, 4]")]
        error = _errors.from_request_error(pb.RequestError(code=3, message="wrong", violations=violations))
        self.assertIsInstance(error, certimix.InvalidArgumentError)
        self.assertIsInstance(error, ValueError)
        self.assertEqual(error.violations, (("inputs.shape", "expected [N, 4]"),))
        refused = _errors.from_request_error(pb.RequestError(code=8, message="full", retry_after_ms=250))
        self.assertIsInstance(refused, certimix.ResourceExhaustedError)
        self.assertEqual(refused.retry_after, 0.25)
        self.assertEqual(str(refused), "RESOURCE_EXHAUSTED: full")
        unknown = _errors.from_request_error(pb.RequestError(code=99, message="new"))
        self.assertIs(type(unknown), certimix.CertimixError)


if __name__ == "__main__":
    unittest.main()
