"""Which controller acts, and what one answer allows, without a server."""

from __future__ import annotations

import itertools
import unittest
from typing import Any

import certimix
import control_loop
import numpy as np
from certimix import _answers, _certificates
from certimix.v1 import mixed_classifier_pb2 as pb
from control_loop import Simplex

FRAME = np.zeros((1, 16, 16), np.float32)


def modes(simplex: Simplex, classes: list[str | None]) -> list[tuple[str, str | None]]:
    return [(mode.value, action) for mode, action in map(simplex.decide, classes)]


class SimplexTest(unittest.TestCase):
    def test_it_starts_with_the_fallback_until_enough_ticks_in_a_row_are_certified(self) -> None:
        found = modes(Simplex(hold_limit=2, return_after=3), ["left", "left", None, "left", "left", "right"])
        self.assertEqual(found, [("fallback", None)] * 5 + [("certified", "right")])

    def test_it_holds_the_last_certified_action_for_a_bounded_time(self) -> None:
        found = modes(Simplex(hold_limit=2, return_after=1), ["left", "right", None, None, None, None])
        expected = [("certified", "left"), ("certified", "right"), ("hold", "right"), ("hold", "right")]
        self.assertEqual(found, [*expected, ("fallback", None), ("fallback", None)])

    def test_one_certified_tick_ends_a_hold_and_its_count(self) -> None:
        found = modes(Simplex(hold_limit=2, return_after=1), ["left", None, None, "right", None, None, None])
        self.assertEqual([mode for mode, _ in found], [*("certified", "hold", "hold") * 2, "fallback"])

    def test_a_single_certified_tick_does_not_end_the_fallback(self) -> None:
        simplex = Simplex(hold_limit=0, return_after=3)
        found = modes(simplex, ["left"] * 3 + [None] + ["left", "left", None] * 4 + ["left"] * 3)
        self.assertEqual([mode for mode, _ in found[3:-1]], ["fallback"] * 15)
        self.assertEqual(found[-1], ("certified", "left"))

    def test_in_every_sequence_an_action_was_certified_within_the_hold_limit(self) -> None:
        hold_limit, length = 2, 8
        for classes in itertools.product(["left", "right", None], repeat=length):
            found = modes(Simplex(hold_limit, return_after=2), list(classes))
            for tick, (mode, action) in enumerate(found):
                recent = [name for name in classes[max(0, tick - hold_limit) : tick + 1] if name is not None]
                if mode == "certified":
                    self.assertEqual(action, classes[tick])
                elif mode == "hold":
                    self.assertIsNone(classes[tick])
                    self.assertEqual(action, recent[-1])
                else:
                    self.assertIsNone(action)
                if not recent:
                    self.assertEqual(mode, "fallback")


class Stream:
    """Returns one answer, or raises one error."""

    def __init__(self, outcome: certimix.Answer | Exception) -> None:
        self.outcome = outcome

    def predict(self, _frame: Any, *, deadline: float) -> certimix.Answer:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def answer(**fields: Any) -> certimix.Answer:
    proof = {
        "status": pb.CERTIFICATE_STATUS_CERTIFIED,
        "radius": control_loop.REQUIRED_RADIUS + 0.1,
        "norm": pb.NORM_L2,
        "basis": pb.CERTIFICATE_BASIS_PROVEN,
        **fields,
    }
    certified = proof["status"] == pb.CERTIFICATE_STATUS_CERTIFIED
    message = pb.Prediction(
        class_index=2,
        label="right",
        mixed_logits=[-3.0, -3.0, -0.1],
        class_source=pb.CLASS_SOURCE_CERTIFICATE if certified else pb.CLASS_SOURCE_STANDARD_MODEL,
        certificate=pb.Certificate(**proof),
    )
    return _answers.answer(message, _certificates.provenance(pb.Provenance()), None)


class ReadingTest(unittest.TestCase):
    def read(self, outcome: certimix.Answer | Exception, any_class: bool = False) -> control_loop.Reading:
        stream: Any = Stream(outcome)
        return control_loop.read_camera(stream, FRAME, any_class)

    def test_a_proven_class_beyond_the_required_radius_is_an_action(self) -> None:
        found = self.read(answer())
        self.assertEqual(found.action, "right")
        self.assertIsNone(found.why_not)

    def test_nothing_else_is(self) -> None:
        for fields in [
            {"status": pb.CERTIFICATE_STATUS_ABSTAINED, "radius": 0.0},
            {"status": pb.CERTIFICATE_STATUS_UNAVAILABLE, "radius": 0.0},
            {"radius": control_loop.REQUIRED_RADIUS},
            {"radius": control_loop.ASSUMED_ATTACK},
            {"norm": pb.NORM_LINF},
            {"basis": pb.CERTIFICATE_BASIS_CLAIMED},
            {"caveat": "a model is not a function of its input"},
        ]:
            with self.subTest(fields):
                found = self.read(answer(**fields))
                self.assertIsNone(found.action)
                self.assertIsNotNone(found.why_not)

    def test_a_late_a_refused_and_a_lost_answer_are_none(self) -> None:
        for error in [
            certimix.DeadlineExceededError("late"),
            certimix.ResourceExhaustedError("refused"),
            certimix.UnavailableError("no server"),
            certimix.MalformedAnswerError("contradicts itself"),
        ]:
            for any_class in (True, False):
                with self.subTest(error, any_class=any_class):
                    self.assertEqual(self.read(error, any_class), (None, 0.0, type(error).__name__))

    def test_the_other_car_acts_on_an_abstention(self) -> None:
        found = self.read(answer(status=pb.CERTIFICATE_STATUS_ABSTAINED, radius=0.0), any_class=True)
        self.assertEqual(found.action, "right")


if __name__ == "__main__":
    unittest.main()
