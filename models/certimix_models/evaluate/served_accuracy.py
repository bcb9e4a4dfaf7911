#!/usr/bin/env python3
"""Clean accuracy of g, h and the mixture, and the share that is certified, from answers of a running server.

    certimix predict test.npy --batch 8 --deadline 60s --json > predictions.jsonl
    python3 models/evaluate/accuracy.py predictions.jsonl test.labels.json
"""

import json
import sys
from pathlib import Path
from statistics import median

LABELS = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
RADII = [0.0, 36 / 255, 0.25]


def main() -> None:
    answers = [json.loads(line) for line in Path(sys.argv[1]).read_text().splitlines()]
    truth = [LABELS.index(label) for label in json.loads(Path(sys.argv[2]).read_text())]
    if len(answers) != len(truth):
        sys.exit(f"{len(answers)} answers for {len(truth)} labels")

    def share(hits: list[bool]) -> str:
        return f"{100 * sum(hits) / len(hits):6.2f} %"

    pairs = list(zip(answers, truth, strict=True))
    print(f"{len(pairs)} images, alpha {answers[0]['provenance']['alpha']}")
    for name, key in (("g alone", "standard_class_index"), ("h alone", "robust_class_index"), ("mixture", "class_index")):
        print(f"  accuracy of {name}: {share([answer[key] == label for answer, label in pairs])}")
    for radius in RADII:
        held = [
            answer["class_index"] == label
            and answer["certificate"]["status"] == "certified"
            and answer["certificate"]["radius"] >= radius
            for answer, label in pairs
        ]
        print(f"  right and certified at {radius:.4f}: {share(held)}")
    votes = [answer["certificate"]["votes"] for answer in answers]
    if any(votes):
        print(f"  votes behind a certificate: median {median(votes)}, mean {sum(votes) / len(votes):.0f}")


if __name__ == "__main__":
    main()
