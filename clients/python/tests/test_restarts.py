"""A restart of the server in the middle of a stream, and a server that refuses."""

import socket
import threading
import time
import unittest
from concurrent import futures
from signal import SIGKILL, SIGTERM
from typing import Any, List

import certimix
import grpc
from certimix.v1 import mixed_classifier_pb2 as pb

from both_clients import CLIENTS
from support import CLEAR_INPUT, Server

PATIENT = certimix.RetryPolicy(max_attempts=5, initial_backoff=1.0, max_backoff=4.0)


class RestartTest(unittest.TestCase):
    def test_a_loop_goes_on_after_a_restart(self) -> None:
        for name, client in CLIENTS:
            with self.subTest(name), Server() as server, client(server.unix, deadline=30.0) as found:
                with found.predict_stream() as stream:
                    self.assertTrue(stream.predict(CLEAR_INPUT).certified)
                    server.stop(SIGTERM)
                    with self.assertRaises(certimix.UnavailableError) as caught:
                        stream.predict(CLEAR_INPUT)
                    self.assertIsInstance(caught.exception, ConnectionError)
                    with self.assertRaises(certimix.UnavailableError):
                        found.predict(CLEAR_INPUT)
                    server.start()
                    self.assertTrue(self.answer_of_a_loop(stream).certified)
                    self.assertTrue(found.predict(CLEAR_INPUT).certified)

    def answer_of_a_loop(self, stream: Any) -> Any:
        """The first answer of a loop that goes on while the server is absent."""
        for _ in range(3000):
            try:
                return stream.predict(CLEAR_INPUT)
            except certimix.UnavailableError:
                time.sleep(0.01)
        raise AssertionError("the stream does not reconnect")

    def test_a_request_that_meets_a_restart_is_sent_again(self) -> None:
        for name, client in CLIENTS:
            with self.subTest(name), Server() as server, client(server.tcp, deadline=60.0, retry=PATIENT) as found:
                with found.predict_stream() as stream:
                    for call in [stream.predict, found.predict]:
                        self.assertTrue(call(CLEAR_INPUT).certified)
                        server.stop(SIGKILL)
                        restart = threading.Thread(target=server.start)
                        restart.start()
                        self.assertTrue(call(CLEAR_INPUT).certified)
                        restart.join()

    def test_a_client_of_two_servers_survives_each_of_them(self) -> None:
        for name, client in CLIENTS:
            with self.subTest(name), Server() as first, Server() as second:
                address = f"ipv4:{first.tcp},{second.tcp}"
                with client(address, deadline=60.0) as found, found.predict_stream() as stream:
                    for server in [first, second]:
                        for call in [stream.predict, found.predict]:
                            self.assertTrue(call(CLEAR_INPUT).certified)
                        server.stop(SIGKILL)
                        for call in [stream.predict, found.predict]:
                            self.assertTrue(call(CLEAR_INPUT).certified)
                        server.start()
                        self.wait_for(server)

    def wait_for(self, server: Server) -> None:
        """Waits until the server answers, so that one of the two always does."""
        with certimix.Client(server.tcp, deadline=60.0, retry=PATIENT) as found:
            found.info()


class RefusingService(grpc.GenericRpcHandler):
    """Refuses the first calls with a pushback, and then answers."""

    def __init__(self, code: grpc.StatusCode, refusals: int) -> None:
        self.code = code
        self.refusals = refusals
        self.times: List[float] = []

    def service(self, details: Any) -> Any:
        def info(request: Any, context: Any) -> pb.GetModelInfoResponse:
            self.times.append(time.monotonic())
            if len(self.times) <= self.refusals:
                if self.code == grpc.StatusCode.RESOURCE_EXHAUSTED:
                    from google.protobuf.any_pb2 import Any as AnyMessage
                    from google.protobuf.duration_pb2 import Duration
                    from google.rpc import error_details_pb2, status_pb2

                    detail = AnyMessage()
                    detail.Pack(error_details_pb2.RetryInfo(retry_delay=Duration(nanos=200_000_000)))
                    status = status_pb2.Status(code=8, message="full", details=[detail])
                    context.set_trailing_metadata(
                        [
                            ("grpc-retry-pushback-ms", "200"),
                            ("grpc-status-details-bin", status.SerializeToString()),
                        ]
                    )
                context.abort(self.code, "full")
            return pb.GetModelInfoResponse(labels=["left"])

        return grpc.unary_unary_rpc_method_handler(
            info, pb.GetModelInfoRequest.FromString, pb.GetModelInfoResponse.SerializeToString
        )


class RefusalTest(unittest.TestCase):
    def call(self, code: grpc.StatusCode, refusals: int, **options: Any) -> List[Any]:
        """The outcome and the service of one call of each client."""
        outcomes: List[Any] = []
        for _, client in CLIENTS:
            server = grpc.server(futures.ThreadPoolExecutor(2))
            service = RefusingService(code, refusals)
            server.add_generic_rpc_handlers([service])
            port = server.add_insecure_port("127.0.0.1:0")
            server.start()
            with client(f"127.0.0.1:{port}", **options) as found:
                try:
                    outcome: Any = found.info()
                except certimix.CertimixError as error:
                    outcome = error
            server.stop(None)
            outcomes.append((outcome, service))
        return outcomes

    def test_the_client_waits_as_long_as_the_server_asks(self) -> None:
        for outcome, service in self.call(grpc.StatusCode.RESOURCE_EXHAUSTED, 2, deadline=30.0):
            self.assertEqual(outcome.labels, ("left",))
            waits = [later - earlier for earlier, later in zip(service.times, service.times[1:])]
            self.assertEqual(len(waits), 2)
            # A lower bound: the clock of the test may only make a wait longer.
            self.assertGreaterEqual(min(waits), 0.2)

    def test_a_refusal_is_not_repeated_beyond_the_deadline(self) -> None:
        for outcome, service in self.call(grpc.StatusCode.RESOURCE_EXHAUSTED, 9, deadline=0.2):
            self.assertIsInstance(outcome, (certimix.ResourceExhaustedError, certimix.DeadlineExceededError))
            self.assertLessEqual(len(service.times), 1)

    def test_attempts_are_bounded(self) -> None:
        for code in [grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE]:
            retry = certimix.RetryPolicy(max_attempts=3)
            for outcome, service in self.call(code, 9, deadline=30.0, retry=retry):
                self.assertEqual(outcome.code, code)
                self.assertEqual(len(service.times), 3)

    def test_a_server_that_says_nothing_costs_no_more_than_the_deadline(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            for name, client in CLIENTS:
                with self.subTest(name), client(f"127.0.0.1:{silent.getsockname()[1]}", deadline=0.3) as found:
                    for call in [found.predict, found.predict_stream().predict]:
                        with self.assertRaises(certimix.DeadlineExceededError) as caught:
                            call(CLEAR_INPUT)
                        self.assertIn("no answer came within", str(caught.exception))

    def test_grpc_repeats_what_is_unavailable(self) -> None:
        for outcome, service in self.call(grpc.StatusCode.UNAVAILABLE, 2, deadline=30.0):
            self.assertEqual(outcome.labels, ("left",))
            self.assertEqual(len(service.times), 3)


if __name__ == "__main__":
    unittest.main()
