"""What an answer lets its caller do, without a server."""

import math
import unittest
from typing import Any

import numpy

import certimix
from certimix import _answers, _certificates
from certimix.v1 import mixed_classifier_pb2 as pb

PROVENANCE = _certificates.provenance(pb.Provenance(alpha=0.76))


def certified(radius: float = 0.25, **fields: Any) -> pb.Prediction:
    values = {
        "status": pb.CERTIFICATE_STATUS_CERTIFIED,
        "radius": radius,
        "norm": pb.NORM_L2,
        "basis": pb.CERTIFICATE_BASIS_PROVEN,
        **fields,
    }
    return pb.Prediction(
        class_index=1,
        label="middle",
        mixed_logits=[-3.0, -0.1, -3.0],
        class_source=pb.CLASS_SOURCE_CERTIFICATE,
        certificate=pb.Certificate(**values),
    )


def abstained() -> pb.Prediction:
    proof = pb.Certificate(
        status=pb.CERTIFICATE_STATUS_ABSTAINED,
        norm=pb.NORM_L2,
        reason="the robust model is unsure",
        abstention_reason=pb.ABSTENTION_REASON_ROBUST_MODEL_UNSURE,
    )
    return pb.Prediction(class_index=2, label="right", mixed_logits=[-1.0, -1.0, -1.0], certificate=proof)


def answer(message: pb.Prediction) -> certimix.Answer:
    return _answers.answer(message, PROVENANCE, None)


class ActingTest(unittest.TestCase):
    def test_a_certified_class_is_returned_below_its_radius_only(self) -> None:
        found = answer(certified(0.25))
        self.assertTrue(found.certified)
        self.assertIsNone(found.why_not)
        for radius, expected in [(0.0, 1), (math.nextafter(0.25, 0), 1), (0.25, "hold"), (0.3, "hold")]:
            with self.subTest(radius):
                self.assertEqual(found.class_if_certified(radius, "hold"), expected)
                self.assertEqual(found.certified_beyond(radius), expected == 1)
        self.assertEqual(found.label_if_certified(0.1, None), "middle")
        self.assertIn("0.25", found.why_not_beyond(0.3) or "")

    def test_an_abstention_is_never_a_certified_class(self) -> None:
        found = answer(abstained())
        self.assertFalse(found.certified)
        self.assertEqual(found.class_if_certified(0.0, "hold"), "hold")
        self.assertIsNone(found.label_if_certified(0.0, None))
        self.assertEqual(found.radius, 0.0)
        self.assertEqual(found.why_not, "ABSTAINED: the robust model is unsure")
        self.assertEqual((found.best_guess, found.best_guess_label), (2, "right"))
        for name in ["label", "class_index", "prediction", "class_", "argmax"]:
            self.assertFalse(hasattr(found, name), name)

    def test_no_shortcut_treats_an_abstention_like_a_class(self) -> None:
        for found in [answer(abstained()), answer(certified())]:
            with self.assertRaises(TypeError):
                bool(found)
            with self.assertRaises(TypeError):
                found == 2  # noqa: B015
            with self.assertRaises(TypeError):
                found != "right"  # noqa: B015
            with self.assertRaises(TypeError):
                int(found)  # type: ignore[call-overload]
            self.assertEqual(found, found)

    def test_a_radius_of_another_norm_certifies_nothing(self) -> None:
        found = answer(certified(norm=pb.NORM_L2))
        self.assertTrue(found.certified_beyond(0.1, norm="l2"))
        self.assertTrue(found.certified_beyond(0.1, norm=certimix.Norm.L2))
        self.assertFalse(found.certified_beyond(0.1, norm="linf"))
        self.assertIn("L2", found.why_not_beyond(0.1, norm="linf") or "")
        with self.assertRaises(ValueError):
            found.certified_beyond(0.1, norm="euclid")

    def test_a_claim_is_visible_and_can_be_refused(self) -> None:
        for basis in [pb.CERTIFICATE_BASIS_CLAIMED, pb.CERTIFICATE_BASIS_UNSPECIFIED]:
            found = answer(certified(basis=basis))
            self.assertTrue(found.certified_beyond(0.1))
            self.assertFalse(found.certified_beyond(0.1, require_proven=True))
            self.assertNotEqual(found.basis, certimix.CertificateBasis.PROVEN)
        self.assertIn("claimed", str(answer(certified(basis=pb.CERTIFICATE_BASIS_CLAIMED))))
        self.assertTrue(answer(certified()).certified_beyond(0.1, require_proven=True))

    def test_a_caveat_certifies_nothing_unless_accepted(self) -> None:
        found = answer(certified(caveat="a model is not a function of its input"))
        self.assertFalse(found.certified)
        self.assertEqual(found.radius, 0.0)
        self.assertEqual(found.class_if_certified(0.1, None), None)
        self.assertEqual(found.class_if_certified(0.1, None, accept_caveat=True), 1)

    def test_a_radius_must_be_a_number(self) -> None:
        for radius in [-0.1, math.nan, math.inf]:
            with self.subTest(radius), self.assertRaises(ValueError):
                answer(certified()).certified_beyond(radius)

    def test_a_status_of_a_later_server_certifies_nothing(self) -> None:
        found = answer(certified(status=17))
        self.assertEqual(found.certificate.status, certimix.CertificateStatus.UNSPECIFIED)
        self.assertFalse(found.certified_beyond(0.0))

    def test_a_contradiction_is_an_error(self) -> None:
        no_such_class = certified()
        no_such_class.class_index = 3
        other_source = certified()
        other_source.class_source = pb.CLASS_SOURCE_STANDARD_MODEL
        unknown_source = certified()
        pb.Prediction.FromString(b"")
        unknown_source.class_source = 9  # type: ignore[assignment]
        wrong = [certified(0.0), certified(math.nan), certified(math.inf), certified(-1.0), certified(norm=0)]
        for message in [*wrong, no_such_class, other_source, unknown_source]:
            with self.subTest(message), self.assertRaises(certimix.MalformedAnswerError):
                answer(message)

    def test_text_names_the_norm_and_the_units(self) -> None:
        self.assertEqual(str(answer(certified())), "'middle', certified within 0.25 (l2, units of the float input)")
        self.assertTrue(str(answer(abstained())).startswith("not certified, best guess 'right': ABSTAINED"))

    def test_no_text_claims_more_than_is_proven(self) -> None:
        below = math.nextafter(0.1, 0.0)
        for radius, text in [(0.65999, "0.6599"), (below, "0.09999"), (12.3456, "12.34"), (9.87654e-7, "9.876e-7")]:
            self.assertIn(f"certified within {text} (", str(answer(certified(radius))))
        self.assertIn("radius 0.0999999 (L2) is not larger than 0.1", answer(certified(below)).why_not_beyond(0.1, norm="l2") or "")

    def test_probabilities_are_arrays(self) -> None:
        message = certified()
        message.robust_probabilities.extend([0.0, 1.0, 0.0])
        found = answer(message)
        self.assertEqual(found.mixed_logits.dtype, numpy.float32)
        self.assertIsNone(found.standard_probabilities)
        numpy.testing.assert_array_equal(found.robust_probabilities, [0, 1, 0])


if __name__ == "__main__":
    unittest.main()
