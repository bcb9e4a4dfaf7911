#!/usr/bin/env python3
"""How many votes the stopping rule draws, and what it loses against 100,000 votes an image, before any network is run.

    .cache/venv/bin/python models/evaluate/paper/simulate.py [--images 4000] [--resolution 0.1]

The images' Phi^-1(p) are drawn from a normal distribution that has the certified accuracies of Cohen and others (2019).
"""

import argparse

import numpy as np
import stopping
from bounds import clopper_pearson
from stopping import NORMAL, Plan, Stopping

# sigma: mean and standard deviation of Phi^-1(p)
CLASSIFIERS = {0.25: (1.6, 2.37), 0.5: (0.68, 1.76)}
FIXED = 100_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--radii", type=float, nargs="+", default=[k / 8 for k in range(7)])
    parser.add_argument("--failure-probability", type=float, default=0.001)
    parser.add_argument("--budget", type=int, default=FIXED)
    parser.add_argument("--resolution", type=float, default=stopping.RESOLUTION)
    options = parser.parse_args()
    for sigma, (mean, deviation) in CLASSIFIERS.items():
        random = np.random.default_rng(0)
        plan = Plan(sigma, tuple(options.radii), options.failure_probability, options.budget, options.resolution)
        rule = Stopping(plan)
        needed = np.array([goal.needed for goal in rule.goals])
        drawn, proved, fixed = [], [], []
        for p in map(NORMAL.cdf, random.normal(mean, deviation, options.images)):
            if p <= 0.5:  # another class is on top: nothing is drawn for it
                continue
            hits = votes = 0
            while not rule.done(hits, votes):
                chunk = rule.chunk(votes)
                hits, votes = hits + random.binomial(chunk, p), votes + chunk
            drawn.append(votes)
            proved.append(stopping.anytime_lower(hits, votes, options.failure_probability) > needed)
            fixed.append(clopper_pearson(int(random.binomial(FIXED, p)), FIXED, options.failure_probability)[0] > needed)
        print(f"sigma {sigma}: {sum(drawn) / options.images:.0f} votes an image, median {np.median(drawn):.0f}")
        for name, rows in (("drawn until proved or given up", proved), (f"{FIXED} votes for each image", fixed)):
            shares = " ".join(f"{share:6.1%}" for share in np.sum(rows, axis=0) / options.images)
            print(f"  certified at {options.radii}: {shares}   {name}")


if __name__ == "__main__":
    main()
