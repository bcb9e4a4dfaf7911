"""How many votes a running server drew to decide a target radius, beside a fixed 100,000."""

import argparse
import json
from collections import Counter
from statistics import mean, median, quantiles

from certimix_models.evaluate.defaults import PUBLISHED_VOTES


def run(options: argparse.Namespace) -> None:
    certificates = [json.loads(line)["certificate"] for line in options.decisions.read_text().splitlines()]
    reasons = Counter(certificate["stop_reason"] for certificate in certificates)
    votes = [certificate["votes_drawn"] for certificate in certificates]
    print(f"{len(votes)} images; stop reasons: {dict(reasons)}")
    print(
        f"  votes drawn: median {median(votes):.0f}, mean {mean(votes):.0f}, 95th percentile {quantiles(votes, n=20)[18]:.0f}, most {max(votes)}"
    )
    print(
        f"  the fixed procedure draws {PUBLISHED_VOTES}: {PUBLISHED_VOTES / mean(votes):.0f} times the mean, {PUBLISHED_VOTES / median(votes):.0f} times the median"
    )
