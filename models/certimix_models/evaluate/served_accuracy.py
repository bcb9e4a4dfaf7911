"""Clean accuracy of g, h and the mixture, and the share of certified images, from the answers of a
running server.
"""

import argparse
import json
import sys
from statistics import median

# The labels of CIFAR-10. This command needs no package, so it does not import the data set.
LABELS = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
RADII = [0.0, 36 / 255, 0.25, 0.5]


def run(options: argparse.Namespace) -> None:
    predictions = [json.loads(line) for line in options.predictions.read_text().splitlines()]
    labels = [LABELS.index(label) for label in json.loads(options.labels.read_text())]
    if len(predictions) != len(labels):
        sys.exit(f"{len(predictions)} predictions for {len(labels)} labels")

    def share(hits: list[bool]) -> str:
        return f"{100 * sum(hits) / len(hits):6.2f} %"

    pairs = list(zip(predictions, labels, strict=True))
    provenance = predictions[0]["provenance"]
    weights = f"alpha {provenance['alpha']}"
    if "fallback_alpha" in provenance:
        weights += f", fallback_alpha {provenance['fallback_alpha']}"
    print(f"{len(pairs)} images, {weights}, temperature {provenance['robust_temperature']}")
    for name, key in (
        ("g alone", "standard_class_index"),
        ("h alone", "robust_class_index"),
        ("mixture", "class_index"),
    ):
        print(f"  accuracy of {name}: {share([prediction[key] == label for prediction, label in pairs])}")
    for radius in RADII:
        certified = [
            prediction["class_index"] == label
            and prediction["certificate"]["status"] == "certified"
            and prediction["certificate"]["radius"] >= radius
            for prediction, label in pairs
        ]
        print(f"  right and certified at {radius:.4f}: {share(certified)}")
    votes = [prediction["certificate"]["votes"] for prediction in predictions]
    if any(votes):
        print(f"  votes behind a certificate: median {median(votes)}, mean {sum(votes) / len(votes):.0f}")
