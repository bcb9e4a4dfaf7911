"""`certimix verify` and `certimix.verify` agree on real records of every kind, and on altered ones."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import Any, ClassVar, Dict, List, Set

import certimix
from certimix import Verdict

from support import PATIENCE
from verifier_corruptions import EVIDENCE, INFORMATION, OPTIONAL, STRENGTHENS, Corruption, corruptions
from verifier_records import Kind, Row, make_records

HOLDS, FAILS, OPEN = "holds", "does_not_hold", "cannot_be_verified"

#: Alterations that claim more, and that `certimix verify` accepts. Only the second verifier catches them.
#: A failure of this test because an entry is no longer needed is good news: remove the entry.
ACCEPTED_BY_THE_COMMAND: Set[str] = set()

#: Fields of which the command accepts alterations that the second verifier refuses, and what it compares them with. None of these
#: alterations makes a certified record state more: both must catch those that do.
CHECKED_HERE_ALONE = {
    # The class, its source, and the class of each model are those of the record's own logits and probabilities.
    "class_index",
    "class_source",
    "standard_class_index",
    "robust_class_index",
    "mixed_logits",
    "standard_probabilities",
    "robust_probabilities",
    # A model whose constant nobody can prove makes the basis `claimed`, and so does a caveat.
    "certificate.basis",
    "certificate.caveat",
    # selection_votes + votes is at most votes_drawn, and no less for a fixed number of votes.
    "certificate.bound",
    "certificate.votes",
    "certificate.selection_votes",
    "certificate.votes_drawn",
    "certificate.batch_size",
    # The method, the norm, the levels and the counts of an answer without a radius.
    "certificate.votes_for_runner_up",
    "certificate.method",
    "certificate.norm",
    "certificate.radius_sq_levels",
    "certificate.status",
    # CERTIFIED with the radius 0.
    "certificate.radius",
    # A float32 input without a loss.
    "certificate.snapping_loss",
    "certificate.total_variation",
    "certificate.noise_key",
}


def command_verdicts(rows: List[Row]) -> List[str]:
    """The verdict of `certimix verify` on each record."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "records.json"
        path.write_text("".join(json.dumps({**row, "file": f"r{index:06}"}) + "\n" for index, row in enumerate(rows)))
        command = [os.environ["CERTIMIX_TEST_BINARY"], "verify", str(path)]
        # A wide terminal keeps each mark on one line.
        environment = {**os.environ, "COLUMNS": "250"}
        output = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=PATIENCE, check=False)
    verdicts: Dict[int, str] = {}
    for block in re.split(r"^(?=r\d{6}: )", output.stdout, flags=re.MULTILINE)[1:]:
        open_ = "not verifiable from the certificate alone" in block
        verdicts[int(block[1:7])] = FAILS if "✗" in block else OPEN if open_ else HOLDS
    assert len(verdicts) == len(rows), output.stderr
    return [verdicts[index] for index in range(len(rows))]


class AgreementTest(unittest.TestCase):
    kinds: ClassVar[List[Kind]]

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = tempfile.TemporaryDirectory()
        cls.kinds = make_records(Path(cls.folder.name))

    @classmethod
    def tearDownClass(cls) -> None:
        cls.folder.cleanup()

    def test_both_accept_every_real_record(self) -> None:
        rows = [row for kind in self.kinds for row in kind.records]
        self.assertGreater(len(rows), 400)
        seen = set()
        for row, command in zip(rows, command_verdicts(rows)):
            report = certimix.verify(row)
            certificate = row["certificate"]
            seen.add((certificate["method"], certificate["bound"], certificate["status"], certificate["two_sided"]))
            self.assertEqual(report.verdict.value, command, (row, report.failures, report.open))
            self.assertNotEqual(report.verdict, Verdict.DOES_NOT_HOLD)
        for kind in (
            ("logit_lipschitz", "unspecified", "certified", False),
            ("theorem1", "unspecified", "certified", False),
            ("theorem2", "anytime", "certified", False),
            ("theorem2", "clopper_pearson", "certified", False),
            ("tight", "anytime", "certified", False),
            ("tight", "anytime", "certified", True),
            ("tight", "clopper_pearson", "certified", False),
            ("tight", "clopper_pearson", "certified", True),
            ("tight", "anytime", "abstained", False),
        ):
            self.assertIn(kind, seen)
        self.assertIn("unavailable", {status for _, _, status, _ in seen})

    def bases(self) -> List[Row]:
        """One record of each kind of certificate."""
        found: Dict[Any, Row] = {}
        for kind in self.kinds:
            for row in kind.records:
                certificate = row["certificate"]
                names = ("method", "norm", "bound", "status", "two_sided", "whole_range")
                key = (*map(certificate.get, names), certificate["target_radius"] > 0, bool(row["robust_probabilities"]))
                found.setdefault(key, row)
        return list(found.values())

    def test_both_catch_what_is_altered(self) -> None:
        altered: List[Corruption] = [corruption for row in self.bases() for corruption in corruptions(row)]
        self.assertGreater(len(altered), 3000)
        accepted = set()
        for corruption, command in zip(altered, command_verdicts([corruption.row for corruption in altered])):
            report = certimix.verify(corruption.row)
            mine, path = report.verdict.value, ".".join(corruption.path)
            certificate = corruption.row["certificate"]
            with self.subTest(path, change=corruption.change, status=certificate["status"], method=certificate["method"]):
                why = (command, mine, certificate, [check.message for check in report.failures])
                # Nothing that the command refuses passes here.
                if command == FAILS:
                    self.assertEqual(mine, FAILS, why)
                elif mine == FAILS:
                    self.assertIn(path, CHECKED_HERE_ALONE, why)
                if corruption.strengthens:
                    self.assertNotEqual(mine, HOLDS, why)
                    if command == HOLDS:
                        accepted.add(path)
                elif mine == HOLDS and certificate["status"] == "certified":
                    # Every other field is information, evidence for an unaltered statement, or a statement that claims less.
                    harmless = corruption.path in INFORMATION | EVIDENCE | set(STRENGTHENS) | OPTIONAL
                    self.assertTrue(harmless, why)
        self.assertEqual(accepted, ACCEPTED_BY_THE_COMMAND)

    def test_both_refuse_what_is_no_record(self) -> None:
        row = self.bases()[-1]
        for name, value in [
            ("votes", -1),
            ("votes", 2**64),
            ("votes", 1.5),
            ("radius", "0.1"),
            ("radius", float("nan")),
            ("status", "certain"),
            ("two_sided", 1),
            ("votes_for_class", True),
        ]:
            altered = copy.deepcopy(row)
            altered["certificate"][name] = value
            with self.subTest(name, value=value):
                report = certimix.verify(altered)
                self.assertEqual(report.verdict, Verdict.DOES_NOT_HOLD)
                self.assertIn(name, report.failures[0].field)
                if name == "status":
                    continue
                # The command reads no further.
                with self.assertRaises(AssertionError):
                    command_verdicts([altered])
        for values in (None, 3, [], {}, {"certificate": 3}):
            self.assertEqual(certimix.verify(values).verdict, Verdict.DOES_NOT_HOLD)

    def test_every_real_record_is_replayed(self) -> None:
        for kind in self.kinds:
            step = 1 if len(kind.records) < 10 else 3
            for row, values in list(zip(kind.records, kind.inputs))[::step]:
                report = certimix.replay(row, values, kind.model, kind.manifest)
                self.assertTrue(report, (kind.name, row, report.failures, report.open))

    def test_a_replay_catches_altered_evidence(self) -> None:
        kind = next(kind for kind in self.kinds if kind.name == "votes-two-classes")
        # Votes for both classes, so that other noise gives other counts.
        index = next(
            index
            for index, row in enumerate(kind.records)
            if row["certificate"]["status"] == "certified" and row["certificate"]["votes_for_runner_up"] > 10
        )
        row = kind.records[index]
        certificate = row["certificate"]
        key = certificate["noise_key"]
        other = 1 - row["class_index"]
        for fields in [
            {"certificate.noise_key": ("1" if key[0] == "0" else "0") + key[1:]},
            {"certificate.votes": certificate["votes"] - 1, "certificate.votes_for_class": certificate["votes_for_class"] - 1},
            {"certificate.votes_for_runner_up": certificate["votes_for_runner_up"] - 1},
            {"certificate.sigma": 0.3},
            {"certificate.total_variation": 0.0},
            {"certificate.snapping_loss": 0.0},
            {"certificate.whole_range": True},
            {"class_index": other, "robust_class_index": other, "label": ["no", "yes"][other]},
            {"label": ["no", "yes"][other]},
            {"input_sha256": "0" * 64},
            {"input_dtype": "uint8"},
            {"provenance.robust_model_sha256": "0" * 64},
        ]:
            altered = copy.deepcopy(row)
            for path, value in fields.items():
                *parents, name = path.split(".")
                target = altered
                for parent in parents:
                    target = target[parent]
                target[name] = value
            with self.subTest(fields):
                report = certimix.replay(altered, kind.inputs[index], kind.model, kind.manifest)
                self.assertEqual(report.verdict, Verdict.DOES_NOT_HOLD)
        self.assertEqual(certimix.replay(row, kind.inputs[index - 1], kind.model, kind.manifest).failures[0].field, "input_sha256")


if __name__ == "__main__":
    unittest.main()
