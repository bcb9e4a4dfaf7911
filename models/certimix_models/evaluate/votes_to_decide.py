#!/usr/bin/env python3
"""How many votes decided whether the target radius holds, against a fixed 100,000.

    certimix certify test500.npy --target-radius 0.25 --votes 100000 --json > decided.jsonl
    python3 models/evaluate/votes_to_decide.py decided.jsonl
"""

import json
import sys
from collections import Counter
from pathlib import Path
from statistics import mean, median, quantiles

FIXED = 100_000


def main() -> None:
    certificates = [json.loads(line)["certificate"] for line in Path(sys.argv[1]).read_text().splitlines()]
    reasons = Counter(certificate["stop_reason"] for certificate in certificates)
    votes = [certificate["votes_drawn"] for certificate in certificates]
    print(f"{len(votes)} images; why each stopped: {dict(reasons)}")
    print(f"  votes drawn: median {median(votes):.0f}, mean {mean(votes):.0f}, 95th percentile {quantiles(votes, n=20)[18]:.0f}, most {max(votes)}")
    print(f"  the fixed procedure draws {FIXED}: {FIXED / mean(votes):.0f} times the mean, {FIXED / median(votes):.0f} times the median")


if __name__ == "__main__":
    main()
