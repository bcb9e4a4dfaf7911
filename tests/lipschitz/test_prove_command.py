"""The command `prove` as people use it: without a manifest, writing one, correcting one."""

import argparse
import contextlib
import io
import json
import tempfile
import tomllib
import unittest
from pathlib import Path

import numpy as np
from sample_networks import NetworkBuilder, small_network

from certimix_models.cli import build_parser
from certimix_models.prove.manifest_edit import NotEditable, set_values
from certimix_models.prove.proof_record import CHECKER_ID
from certimix_models.prove.write_manifest import choose_number, round_up


class ProveCommandTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.model, self.manifest = self.folder / "net.onnx", self.folder / "net.toml"
        self.write_model(scale=4.0)

    def write_model(self, scale: float):
        net = NetworkBuilder((4,))
        logits = net.node("Gemm", "input", net.weight(scale * np.eye(4)[:3]), net.weight(np.zeros(3)), transB=1)
        self.model.write_bytes(net.model(logits).SerializeToString())

    def prove(self, *arguments: str, expect_failure: bool = False) -> str:
        """The output of the command, and the message with which it exits."""
        options: argparse.Namespace = build_parser().parse_args(["prove", *map(str, arguments)])
        output, message = io.StringIO(), ""
        with contextlib.redirect_stdout(output):
            try:
                options.command.run(options)
            except SystemExit as exit:
                message = str(exit.code)
        self.assertEqual(bool(message), expect_failure, message)
        return output.getvalue() + message

    def guarantee(self) -> dict:
        return tomllib.loads(self.manifest.read_text())["guarantee"]

    def test_needs_no_manifest(self):
        text = self.prove(self.model, "--range", "-1", "1")
        self.assertIn("4.00000000", text)
        self.assertIn("--write creates", text)
        self.assertFalse(self.manifest.exists())
        result = json.loads(self.prove(self.model, "--range", "-1", "1", "--json"))
        self.assertGreaterEqual(result["constant"], 4.0)
        self.assertAlmostEqual(result["radius_lost_to_rounding"], result["logit_error_bound"] / np.sqrt(2), delta=1e-9)
        self.assertLess(result["float64"]["logit_error_bound"], result["logit_error_bound"])

    def test_tables_fit_80_columns(self):
        model = small_network(wrap=False)
        self.model.write_bytes(model.SerializeToString())
        lines = self.prove(self.model, "--range", "0", "1").splitlines()
        self.assertLessEqual(max(len(line) for line in lines if not line.startswith(("run", "--write"))), 80)

    def test_says_what_is_missing_or_wrong(self):
        self.assertIn("--range LOW HIGH", self.prove(self.model, expect_failure=True))
        self.assertIn("the lower one first", self.prove(self.model, "--range", "1", "0", expect_failure=True))
        self.prove(self.model, "--range", "-1", "1", "--write")
        message = self.prove(self.model, "--range", "0", "1", expect_failure=True)
        self.assertIn("--range is [0.0, 1.0], and the manifest", message)
        self.manifest.write_text(self.manifest.read_text().replace("net.onnx", "other.onnx"))
        self.assertIn("field file names other.onnx", self.prove(self.model, expect_failure=True))

    def test_creates_a_manifest_that_it_accepts(self):
        labels = self.folder / "labels.txt"
        labels.write_text('left\nmiddle "m"\nright\n')
        text = self.prove(self.model, "--range", "-1", "1", "--write", "--labels", labels)
        self.assertIn(f"created {self.manifest}", text)
        manifest = tomllib.loads(self.manifest.read_text())
        self.assertEqual(manifest["labels"], ["left", 'middle "m"', "right"])
        self.assertEqual((manifest["input"]["shape"], manifest["input"]["range"]), ([4], [-1.0, 1.0]))
        self.assertTrue(4.0 <= manifest["guarantee"]["constant"] < 4.00001)
        before = self.manifest.read_text()
        self.prove(self.manifest)
        self.assertIn("needs no change", self.prove(self.model, "--write"))
        self.assertEqual(self.manifest.read_text(), before)

    def test_refuses_labels_of_another_number(self):
        labels = self.folder / "labels.txt"
        labels.write_text("left\nright\n")
        message = self.prove(self.model, "--range", "-1", "1", "--write", "--labels", labels, expect_failure=True)
        self.assertIn("3 different ones are expected", message)
        self.assertFalse(self.manifest.exists())

    def test_corrects_claims_and_keeps_comments(self):
        self.prove(self.model, "--range", "-1", "1", "--write")
        text = self.manifest.read_text()
        lines = {
            "constant = 4.000001": "constant = 17.78  # from the paper",
            "logit_error_bound = ": "# measured\nlogit_error_bound = 1e-12 #",
        }
        for old, new in lines.items():
            self.assertIn(old, text)
            text = text.replace(old, new)
        self.manifest.write_text("# ours\n" + text)
        self.assertIn("guarantee.logit_error_bound is 1e-12", self.prove(self.manifest, expect_failure=True))
        output = self.prove(self.manifest, "--write")
        self.assertIn("17.78 -> 4.000001", output)
        self.assertIn("the claim was too small", output)
        edited = self.manifest.read_text()
        self.assertIn("constant = 4.000001  # from the paper", edited)
        self.assertTrue(edited.startswith("# ours\n") and "# measured\n" in edited)
        self.prove(self.manifest)

    def test_a_proved_number_is_no_claim_of_a_person(self):
        self.prove(self.model, "--range", "-1", "1", "--write")
        text = self.manifest.read_text()
        self.manifest.write_text(text.replace("[guarantee]", '[guarantee]\nbasis = "claimed"  # typed'))
        self.assertIn("guarantee.basis: claimed -> absent", self.prove(self.manifest, "--write"))
        self.assertEqual(self.manifest.read_text(), text)

    def test_replaces_a_manifest_without_guarantee(self):
        self.prove(self.model, "--range", "-1", "1", "--write")
        head = self.manifest.read_text().split("[guarantee]")[0]
        self.manifest.write_text(head + '[guarantee]\nkind = "none"  # nothing known\nsource = "trained"\n')
        self.assertIn("which has none", self.prove(self.manifest))
        self.prove(self.manifest, "--write")
        self.assertEqual(self.guarantee()["kind"], "lipschitz_logits")
        self.prove(self.manifest)

    def test_leaves_another_guarantee_alone(self):
        self.prove(self.model, "--range", "-1", "1", "--write")
        text = self.manifest.read_text().replace('norm = "l2"', 'norm = "linf"')
        self.manifest.write_text(text)
        self.assertIn('guarantee.norm = "l2", not "linf"', self.prove(self.manifest, "--write", expect_failure=True))
        self.assertEqual(self.manifest.read_text(), text)

    def test_another_model_needs_write(self):
        self.prove(self.model, "--range", "-1", "1", "--write")
        self.write_model(scale=8.0)
        self.assertIn("not the one", self.prove(self.model, expect_failure=True))
        self.assertIn("sha256: ", self.prove(self.model, "--write"))
        self.assertGreaterEqual(self.guarantee()["constant"], 8.0)
        self.prove(self.model)

    def test_a_larger_number_of_the_record_stays_without_a_key(self):
        """The server refuses a manifest that claims less than its record proves."""
        self.prove(self.model, "--range", "-1", "1", "--write")
        manifest = tomllib.loads(self.manifest.read_text())
        statement = {
            "version": 1,
            "checker": CHECKER_ID,
            "model_sha256": manifest["sha256"],
            "guarantee": "lipschitz_logits",
            "norm": "l2",
            "constant": 4.5,
            "logit_error_bound": 1e-4,
            "input_shape": [4],
            "input_range": [-1.0, 1.0],
            "output": "logits",
            "classes": 3,
        }
        record = {"statement": json.dumps(statement), "public_key": "", "signature": ""}
        (self.folder / "net.proof.json").write_text(json.dumps(record))
        self.manifest.write_text(self.manifest.read_text().replace("constant = 4.000001", "constant = 5.0"))
        self.assertIn("--sign KEY renews it", self.prove(self.manifest, "--write"))
        self.assertEqual(self.guarantee()["constant"], 4.5)

    def test_counts_certificates(self):
        inputs = self.folder / "inputs.npy"
        rows = np.zeros((3, 4), np.float32)
        rows[:, 0] = [0.5, 1e-6, 0.0]  # the second has a margin of 4e-6, which only float64 certifies
        np.save(inputs, rows)
        result = json.loads(self.prove(self.model, "--range", "-1", "1", "--json", "--inputs", inputs))
        self.assertEqual(result["inputs_that_can_be_certified"], [1, 2])
        np.save(inputs, rows.astype(np.float64))
        message = self.prove(self.model, "--range", "-1", "1", "--inputs", inputs, expect_failure=True)
        self.assertIn("float32 values from -1.0 to 1.0 are expected", message)


class NumberTest(unittest.TestCase):
    def test_rounds_up(self):
        random = np.random.default_rng(1)
        for value in [1.0, 0.1, 1e-300, 123456.789, *np.exp(random.uniform(-50, 50, 200))]:
            for digits in (3, 7):
                rounded = round_up(float(value), digits)
                self.assertGreaterEqual(rounded, value)
                self.assertLessEqual(rounded, value * (1 + 10.0 ** (1 - digits)) * (1 + 1e-15))

    def test_chooses_a_number_that_is_proved(self):
        cases = [
            (None, None, False, 1.000001),
            ("a lot", None, False, 1.000001),
            (2.0, None, False, 1.000001),
            (1.0000005, None, False, 1.0000005),
            (0.5, None, False, 1.000001),
            (0.5, 0.4, True, 0.5),  # a signed record proves a smaller number
            (0.5, 0.4, False, 1.000001),  # nobody signed it
            (0.5, 0.6, True, 1.000001),  # it proves less than the claim
            (2.0, 1.5, False, 1.5),
            (1.2, 1.5, True, 1.2),
        ]
        for claimed, recorded, is_signed, expected in cases:
            with self.subTest(claimed=claimed, recorded=recorded, is_signed=is_signed):
                self.assertEqual(choose_number("constant", 1.0000003, claimed, recorded, is_signed)[0], expected)


class ManifestEditTest(unittest.TestCase):
    def test_keeps_everything_else(self):
        text = 'a = 1 # one\n\n[guarantee] # ours\n# above\nsource = "a # b = c" # why\nconstant=2\n\n[other]\nconstant = 3\n'
        edited = set_values(text, "guarantee", {"constant": 1.5, "source": 'new "x"', "norm": "l2"})
        expected = text.replace("constant=2", 'constant=1.5\nnorm = "l2"').replace('"a # b = c"', '"new \\"x\\""')
        self.assertEqual(edited, expected)

    def test_adds_a_table(self):
        self.assertEqual(
            tomllib.loads(set_values("a = 1\n", "guarantee", {"b": 2.0})), {"a": 1, "guarantee": {"b": 2.0}}
        )

    def test_refuses_other_forms(self):
        for text in (
            "guarantee = {constant = 2.0}\n",
            "[guarantee]\nconstant = [\n  2.0,\n]\n",
            "guarantee.constant = 2.0\n",
        ):
            with self.subTest(text), self.assertRaises(NotEditable):
                set_values(text, "guarantee", {"constant": 1.0})


if __name__ == "__main__":
    unittest.main()
