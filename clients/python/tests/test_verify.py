"""The mathematics of the second verifier, its noise, and its command, without a server."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import math
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any, Dict, List, Tuple
from unittest import mock

import mpmath
import numpy

import certimix
from certimix import Verdict, _bounds, _noise
from certimix.verify import main

from support import ROOT

#: A record of the bundled tiny smoothed model, shortened to three classes.
RECORD: Dict[str, Any] = {
    "file": "0000-cat.png",
    "class_index": 1,
    "label": "cat",
    "class_source": "certificate",
    "mixed_logits": [-5.7976456, -0.16268322, -2.1024165],
    "standard_class_index": 1,
    "robust_class_index": 1,
    "robust_weight": 0.76,
    "certificate": {
        "status": "certified",
        "radius": 0.003829435849721434,
        "norm": "l2",
        "method": "tight",
        "failure_probability": 1e-06,
        "bound": "anytime",
        "votes": 240,
        "votes_for_class": 200,
        "votes_for_runner_up": 38,
        "selection_votes": 16,
        "votes_drawn": 256,
        "batch_size": 8,
        "lower_bound": 0.6635028175341119,
        "upper_bound": 0.3364971824658881,
        "noise_key": "96a64af226b3eb5cebf9be7256458b6361bc03020b69eb075cd654b2bcf08e1d",
        "radius_sq_levels": 0,
        "two_sided": False,
        "target_radius": 0.14117647058823585,
        "snapping_loss": 0.0,
        "sigma": 0.25,
        "total_variation": 2.4775015372568987e-11,
        "caveat": "",
        "basis": "proven",
        "whole_range": False,
    },
    "provenance": {
        "alpha": 0.76,
        "fallback_alpha": 0.0,
        "standard_model_sha256": "cd" * 32,
        "robust_model_sha256": "c6" * 32,
    },
}


class BoundsTest(unittest.TestCase):
    def test_the_incomplete_beta_function_and_the_quantile_are_those_of_mpmath(self) -> None:
        with mpmath.workdps(50):
            for a, b, x in [(0.5, 240.5, 0.01), (200, 41, 0.7), (1000.5, 30.5, 0.96), (3, 2, 0.999), (1, 1, 0.25)]:
                expected = mpmath.betainc(a, b, 0, x, regularized=True)
                found = _bounds.incomplete_beta(a, b, x)
                self.assertLess(abs(mpmath.mpf(str(found)) / expected - 1), mpmath.mpf(10) ** -40, (a, b, x))
            for p in ["1e-300", "1e-20", "0.001", "0.5", "0.75", "0.9999999999999999999999999"]:
                x = mpmath.mpf(str(_bounds.normal_quantile(p)))
                complement = 1 - mpmath.mpf(p)
                self.assertLess(abs(mpmath.ncdf(x) - mpmath.mpf(p)), mpmath.mpf(10) ** -40 * min(mpmath.mpf(p), complement))

    def test_bounds_are_the_ends_of_their_definitions(self) -> None:
        mp = _bounds.context()
        for votes, hits in [(1, 1), (240, 200), (1000, 1000), (1000, 1), (100_000, 99_000)]:
            for delta in [0.5, 1e-3, 1e-12]:
                lower = _bounds.anytime_lower_bound(votes, hits, delta)
                self.assertTrue(0 < lower < mp.mpf(hits) / votes)
                excess = _bounds.log_anytime_martingale(votes, hits, lower) + mp.log(delta)
                self.assertLess(abs(excess), mp.mpf(10) ** -38)
                lower = _bounds.clopper_pearson_lower_bound(votes, hits, delta)
                self.assertLess(abs(_bounds.incomplete_beta(hits, votes - hits + 1, lower) / delta - 1), mp.mpf(10) ** -35)
        self.assertEqual(_bounds.lower_bound("anytime", 10, 0, 0.1), 0)
        self.assertEqual(_bounds.upper_bound("clopper_pearson", 10, 10, 0.1), 1)

    def test_radii_are_those_of_the_design(self) -> None:
        self.assertAlmostEqual(float(_bounds.smoothed_radius("tight", 0.76, 0.5, 0.99, 0.01)), 0.960, places=3)
        self.assertAlmostEqual(float(_bounds.smoothed_radius("theorem2", 0.76, 0.5, 0.99, 0.01)), 0.341, places=3)
        mp = _bounds.context()
        for alpha, p_lower, p_upper in [(0.76, 0.9, 0.02), (0.95, 0.6, 0.2), (1.0, 0.5, 0.1), (0.7, 0.99, 0.0)]:
            width = _bounds.tight_width(alpha, p_lower, p_upper)
            top, other = _bounds.normal_quantile(p_lower) - width, _bounds.normal_quantile(p_upper) + width
            margin = _bounds.normal_cdf(top) - (_bounds.normal_cdf(other) if p_upper else 0)
            self.assertLess(abs(margin - _bounds.margin_needed(alpha)), mp.mpf(10) ** -40)
        self.assertEqual(_bounds.smoothed_radius("tight", 0.5, 1.0, 1.0, 0.0), 0)
        self.assertEqual(_bounds.smoothed_radius("tight", 0.76, 1.0, 0.6, 0.4), 0)


class NoiseTest(unittest.TestCase):
    def test_words_are_those_of_chacha20(self) -> None:
        # The first block of the zero key: draft-agl-tls-chacha20poly1305, test vector 1.
        block = bytes.fromhex(
            "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
            "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586"
        )
        words = _noise.chacha20_words(bytes(32), 0, 2, 12)
        self.assertEqual(words[0, :8].astype("<u8").tobytes(), block)
        self.assertEqual(words.shape, (2, 12))
        numpy.testing.assert_array_equal(_noise.chacha20_words(bytes(32), 1, 1, 12)[0], words[1])
        self.assertFalse(numpy.array_equal(words[0], words[1]))

    def test_the_table_is_exact_at_every_threshold(self) -> None:
        for scale in (0.5, 63.75):
            table = _noise.NoiseTable(scale)
            self.assertLess(abs(table.largest / scale - 9.08), 1.5 / scale)
            for k in range(-table.largest, table.largest):
                threshold = table.exact(k)
                words = numpy.array([threshold - 1, threshold] if threshold else [threshold], dtype=numpy.uint64)
                found = table.noise(words)
                self.assertGreater(found[-1], k)
                if threshold:
                    self.assertLessEqual(found[0], k)
            ends = table.noise(numpy.array([0, 2**64 - 1], dtype=numpy.uint64))
            self.assertEqual(ends[1], table.largest)

    def test_values_of_the_grid(self) -> None:
        grid = _noise.Grid(0.0, 1.0, 65535)
        levels, on_grid = grid.levels_of(numpy.arange(256, dtype=numpy.uint8))
        self.assertTrue(on_grid)
        numpy.testing.assert_array_equal(grid.floats(levels), (numpy.arange(256) / 255).astype(numpy.float32))
        levels, on_grid = grid.levels_of(numpy.array([0.0, 1.0, 0.4999999], dtype=numpy.float32))
        self.assertEqual((levels.tolist(), on_grid), ([0, 65535, 32767], False))


class VerifyTest(unittest.TestCase):
    def test_a_certificate_holds_and_a_larger_one_does_not(self) -> None:
        report = certimix.verify(RECORD)
        self.assertEqual((report.verdict, bool(report), report.failures), (Verdict.HOLDS, True, ()))
        altered = copy.deepcopy(RECORD)
        # The exact radius, which is no 64-bit number, lies 13 units in the last place above the served one.
        altered["certificate"]["radius"] = 0.0038294358497237849
        report = certimix.verify(altered)
        self.assertEqual([check.field for check in report.failures], ["radius"])
        self.assertLess(report.failures[0].expected, 0.00382943584972379)
        self.assertFalse(report)
        json.dumps(report.to_dict())

    def test_another_class_has_too_small_a_share_in_the_mixture(self) -> None:
        altered = {**copy.deepcopy(RECORD), "class_index": 2, "robust_class_index": 2, "label": "bird"}
        self.assertEqual([check.field for check in certimix.verify(altered).failures], ["class_index"])
        altered = {**copy.deepcopy(RECORD), "mixed_logits": [0.0, 0.0, 0.0]}
        self.assertEqual([check.field for check in certimix.verify(altered).failures], ["mixed_logits"])

    def test_a_lipschitz_certificate_needs_the_model(self) -> None:
        altered = copy.deepcopy(RECORD)
        altered["certificate"].update(method="logit_lipschitz", votes=0, votes_for_class=0, votes_for_runner_up=0)
        report = certimix.verify(altered)
        self.assertEqual(report.verdict, Verdict.CANNOT_BE_VERIFIED)
        self.assertIn("certimix.replay", report.open[0].message)
        altered["robust_probabilities"] = altered["standard_probabilities"] = [0.3, 0.5, 0.2]
        altered["mixed_logits"] = [math.log(0.3), math.log(0.5), math.log(0.2)]
        self.assertEqual([check.field for check in certimix.verify(altered).failures], ["robust_probabilities"])

    def test_a_missing_package_is_named(self) -> None:
        _bounds.context.cache_clear()
        with mock.patch.dict(sys.modules, {"mpmath": None}), self.assertRaisesRegex(ImportError, r"certimix\[verify\]"):
            certimix.verify(RECORD)


class CommandTest(unittest.TestCase):
    def run_on(self, *texts: str, arguments: Tuple[str, ...] = ()) -> Tuple[int, str]:
        with tempfile.TemporaryDirectory() as folder:
            paths: List[str] = []
            for index, text in enumerate(texts):
                path = Path(folder) / f"{index}.json"
                path.write_text(text)
                paths.append(str(path))
            with contextlib.redirect_stdout(io.StringIO()) as output, contextlib.redirect_stderr(output):
                code = main([*arguments, *paths])
        return code, output.getvalue()

    def test_exit_codes(self) -> None:
        whole, lower = copy.deepcopy(RECORD), copy.deepcopy(RECORD)
        whole["certificate"]["whole_range"] = True
        lower["certificate"]["votes_for_class"] = 199
        good, open_, bad = map(json.dumps, (RECORD, whole, lower))
        for texts, code in [((good,), 0), ((good, open_), 2), ((good, open_, bad), 1), ((good, "{"), 1), (("",), 1)]:
            with self.subTest(code=code, files=len(texts)):
                self.assertEqual(self.run_on(*texts)[0], code)
        code, output = self.run_on(f"{good}\n\n{bad}\n", arguments=("--json",))
        verdicts = [json.loads(line)["verdict"] for line in output.splitlines()]
        self.assertEqual((code, verdicts), (1, ["holds", "does_not_hold"]))
        code, output = self.run_on(bad)
        self.assertIn("0000-cat.png: DOES NOT HOLD", output)
        self.assertIn("lower_bound is 0.6635028175341119, expected 0.65", output)
        self.assertEqual(main([str(ROOT / "missing.json")]), 1)


if __name__ == "__main__":
    unittest.main()
