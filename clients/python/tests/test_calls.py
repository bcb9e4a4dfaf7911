"""Every call of both clients against the real server, over TCP and the Unix socket."""

import unittest
from typing import Any, Iterator, Tuple

import certimix
import grpc
import numpy

from both_clients import CLIENTS
from support import BORDER_INPUT, CLEAR_INPUT, SLOW_VOTES, Server, certificates

RADIUS = 0.01
BATCH = numpy.stack([CLEAR_INPUT, BORDER_INPUT])


class CallsTest(unittest.TestCase):
    server: Server

    @classmethod
    def setUpClass(cls) -> None:
        cls.server = Server({"mixture.shadow_alphas": "[0.6, 0.9]", "mixture.alpha": "0.76"})
        cls.addClassCleanup(cls.server.__exit__, None, None, None)

    def clients(self, **options: Any) -> Iterator[Any]:
        for name, client in CLIENTS:
            for address in [self.server.tcp, self.server.unix]:
                with self.subTest(client=name, address=address), client(address, deadline=30.0, **options) as found:
                    yield found

    def check_batch(self, answers: Any) -> None:
        clear, border = answers
        self.assertTrue(clear.certified_beyond(RADIUS, norm="l2"))
        self.assertEqual(clear.class_if_certified(RADIUS, None, norm="l2"), clear.best_guess)
        self.assertEqual(clear.basis, certimix.CertificateBasis.CLAIMED)
        self.assertIsNone(border.class_if_certified(0.0, None))
        self.assertEqual(border.certificate.status, certimix.CertificateStatus.ABSTAINED)
        self.assertTrue(border.why_not)
        times = clear.timings
        self.assertEqual(times.deadline_s, 30.0)
        self.assertGreater(times.server_s, 0)
        self.assertGreaterEqual(times.server_s, times.queue_s)
        self.assertGreaterEqual(times.round_trip_s, times.server_s)
        self.assertEqual(clear.mixed_logits.shape, (3,))
        self.assertAlmostEqual(float(numpy.exp(clear.mixed_logits).sum()), 1.0, places=5)

    def test_predict(self) -> None:
        for client in self.clients():
            self.check_batch(client.predict_batch(BATCH))
            one = client.predict(CLEAR_INPUT, components=True)
            self.assertTrue(one.certified)
            self.assertEqual(one.provenance.alpha, 0.76)
            self.assertAlmostEqual(float(one.standard_probabilities.sum()), 1.0, places=5)
            self.assertAlmostEqual(float(one.robust_probabilities.sum()), 1.0, places=5)

    def test_predict_stream(self) -> None:
        for client in self.clients():
            with client.predict_stream() as stream:
                for _ in range(20):
                    self.check_batch(stream.predict_batch(BATCH))
                self.assertTrue(stream.predict(CLEAR_INPUT).certified)

    def test_compressed_requests(self) -> None:
        many = numpy.tile(BATCH, (30, 1))
        for client in self.clients(compression=grpc.Compression.Gzip):
            self.check_batch(client.predict_batch(many)[:2])
            with client.predict_stream() as stream:
                self.check_batch(stream.predict_batch(many)[-2:])
        with Server({"server.accept_gzip": "false"}) as server:
            with certimix.Client(server.tcp, deadline=30.0, compression=grpc.Compression.Gzip) as client:
                with self.assertRaisesRegex(certimix.CertimixError, "server.accept_gzip"):
                    client.predict_batch(many)

    def test_certify(self) -> None:
        for client in self.clients():
            self.check_batch(client.certify_batch(BATCH))
            self.assertTrue(client.certify(CLEAR_INPUT, priority=certimix.Priority.BULK).certified)
            answers = list(client.certify_stream(CLEAR_INPUT))
            self.assertTrue(answers[-1].is_final)
            self.assertTrue(answers[-1].certified)

    def test_info_and_shadow_report(self) -> None:
        for client in self.clients():
            info = client.info()
            self.assertEqual(info.labels, ("left", "middle", "right"))
            self.assertEqual(info.input_shape, (4,))
            self.assertEqual((info.input_low, info.input_high), (-1.0, 1.0))
            self.assertEqual(info.norm, certimix.Norm.L2)
            self.assertEqual(info.basis, certimix.CertificateBasis.CLAIMED)
            report = client.shadow_report()
            self.assertEqual([row.alpha for row in report.candidates], [0.6, 0.9])
            self.assertIsNotNone(report.serving)

    def test_violations_name_every_field(self) -> None:
        for client in self.clients():
            for call in [client.predict, client.predict_stream().predict]:
                with self.assertRaises(certimix.InvalidArgumentError) as caught:
                    call(numpy.full(3, 2.0, dtype=numpy.float32))
                fields = [violation.field for violation in caught.exception.violations]
                self.assertIn("inputs.shape", fields)
            with self.assertRaises(certimix.InvalidArgumentError) as caught:
                client.certify(CLEAR_INPUT, target_radius=-1.0, failure_probability=0.9)
            fields = [violation.field for violation in caught.exception.violations]
            self.assertLessEqual({"target_radius", "failure_probability"}, set(fields))
            self.assertEqual(caught.exception.code.name, "INVALID_ARGUMENT")
            self.assertTrue(caught.exception.request_id)


class VotesTest(unittest.TestCase):
    """A smoothed model whose votes take 20 ms: streams that grow, deadlines and refusals."""

    server: Server

    @classmethod
    def setUpClass(cls) -> None:
        cls.server = Server(SLOW_VOTES, robust="slow_smoothed")
        cls.addClassCleanup(cls.server.__exit__, None, None, None)

    def test_the_radius_of_a_stream_grows(self) -> None:
        for name, client in CLIENTS:
            with self.subTest(name), client(self.server.unix, deadline=30.0) as found:
                answers = list(found.certify_stream(CLEAR_INPUT, votes=8))
                radii = [answer.radius for answer in answers]
                self.assertEqual(radii, sorted(radii))
                self.assertGreater(len(radii), 1)
                self.assertEqual([answer.is_final for answer in answers], [False] * (len(answers) - 1) + [True])
                self.assertIsNone(answers[0].timings)
                self.assertIsNotNone(answers[-1].timings)
                self.assertTrue(answers[-1].certified_beyond(0.0, require_proven=True))
                self.assertEqual(answers[-1].certificate.votes_drawn, 9)

    def test_a_deadline_cuts_votes_short(self) -> None:
        # The server's own limit is the deadline here: the client's would depend on the load of the machine.
        settings = {**SLOW_VOTES, "server.max_request_time": '"2s"'}
        with Server(settings, robust="slow_smoothed") as server:
            for name, client in CLIENTS:
                with self.subTest(name), client(server.unix) as found:
                    answer = found.certify(CLEAR_INPUT, votes=1_000_000, deadline=50.0)
                    self.assertEqual(answer.certificate.stop_reason, certimix.StopReason.DEADLINE)
                    self.assertEqual(answer.timings.deadline_s, 50.0)

    def test_a_deadline_that_no_server_can_meet(self) -> None:
        for name, client in CLIENTS:
            with self.subTest(name), client(self.server.unix) as found:
                found.info(deadline=30.0)
                for call in [found.predict, found.predict_stream().predict]:
                    with self.assertRaises(certimix.DeadlineExceededError) as caught:
                        call(CLEAR_INPUT, deadline=0.002)
                    self.assertIsInstance(caught.exception, TimeoutError)

    def test_a_refusal_that_the_deadline_cannot_bear_is_reported_at_once(self) -> None:
        for name, client in CLIENTS:
            with self.subTest(name), client(self.server.unix) as found, certimix.Client(self.server.tcp) as other:
                first = other.certify_stream(CLEAR_INPUT, votes=1_000_000, deadline=600.0)
                next(first)
                # The server asks for more seconds than the deadline has. gRPC's own retry would report the deadline.
                for call in [found.certify, lambda *_, **options: list(found.certify_stream(*_, **options))]:
                    with self.assertRaises(certimix.ResourceExhaustedError) as caught:
                        call(CLEAR_INPUT, votes=1_000_000, deadline=3.0)
                    self.assertGreater(caught.exception.retry_after or 0.0, 0.0)
                    self.assertEqual(caught.exception.code.name, "RESOURCE_EXHAUSTED")
                first.close()


class CredentialsTest(unittest.TestCase):
    def answered(self, address: str, **options: Any) -> Iterator[Tuple[str, Any]]:
        for name, client in CLIENTS:
            with self.subTest(name), client(address, deadline=30.0, **options) as found:
                yield name, found

    def test_a_token_over_tls(self) -> None:
        files = certificates()
        token = files / "token"
        token.write_text("tester 0123456789abcdef0123456789abcdef\n")
        mine = files / "mine"
        mine.write_text("0123456789abcdef0123456789abcdef\n")
        settings = {
            "tls.certificate": f'"{files / "server.crt"}"',
            "tls.key": f'"{files / "server.key"}"',
            "server.bearer_token_file": f'"{token}"',
        }
        with Server(settings) as server:
            address = f"https://127.0.0.1:{server.port}"
            trusted = {"tls_ca": files / "ca.crt", "tls_server_name": "localhost"}
            for _, client in self.answered(address, token_file=mine, **trusted):
                self.assertTrue(client.predict(CLEAR_INPUT).certified)
                self.assertTrue(client.predict_stream().predict(CLEAR_INPUT).certified)
            for _, client in self.answered(address, **trusted):
                for call in [client.predict, client.predict_stream().predict]:
                    with self.assertRaises(certimix.UnauthenticatedError):
                        call(CLEAR_INPUT)
            for _, client in self.answered(address, tls_server_name="localhost"):
                with self.assertRaises(certimix.UnavailableError):
                    client.predict(CLEAR_INPUT)
            for _, client in self.answered(server.unix):
                self.assertTrue(client.predict(CLEAR_INPUT).certified)

    def test_a_client_certificate(self) -> None:
        files = certificates()
        settings = {
            "tls.certificate": f'"{files / "server.crt"}"',
            "tls.key": f'"{files / "server.key"}"',
            "tls.client_ca": f'"{files / "ca.crt"}"',
        }
        with Server(settings) as server:
            address = f"https://127.0.0.1:{server.port}"
            trusted = {"tls_ca": files / "ca.crt", "tls_server_name": "localhost"}
            own = {"tls_certificate": files / "client.crt", "tls_key": files / "client.key"}
            for _, client in self.answered(address, **trusted, **own):
                self.assertTrue(client.predict(CLEAR_INPUT).certified)
            for _, client in self.answered(address, **trusted):
                with self.assertRaises(certimix.UnavailableError):
                    client.predict(CLEAR_INPUT)


if __name__ == "__main__":
    unittest.main()
