"""Simulates how many votes the stopping rule draws, and what it loses against 100,000 votes for
each image. Runs no network.
"""

import argparse

import numpy as np

from certimix_models.evaluate.defaults import PUBLISHED_VOTES
from certimix_models.evaluate.mathematics.confidence_bounds import anytime_lower_bound, clopper_pearson_bounds
from certimix_models.evaluate.smoothed_votes.stopping_rule import NORMAL, StoppingRule, VotePlan

# sigma: mean and standard deviation of Phi^-1(p)
CLASSIFIERS = {0.25: (1.6, 2.37), 0.5: (0.68, 1.76)}


def run(options: argparse.Namespace) -> None:
    for sigma, (mean, deviation) in CLASSIFIERS.items():
        generator = np.random.default_rng(0)
        plan = VotePlan(sigma, tuple(options.radii), options.failure_probability, options.budget, options.resolution)
        rule = StoppingRule(plan)
        required_probabilities = np.array([goal.required_probability for goal in rule.goals])
        votes_drawn, proved, fixed = [], [], []
        for p in map(NORMAL.cdf, generator.normal(mean, deviation, options.images)):
            if p <= 0.5:  # another class is selected: no votes are drawn for it
                continue
            hits = votes = 0
            while not rule.is_done(hits, votes):
                chunk = rule.next_chunk(votes)
                hits, votes = hits + generator.binomial(chunk, p), votes + chunk
            votes_drawn.append(votes)
            proved.append(anytime_lower_bound(hits, votes, options.failure_probability) > required_probabilities)
            fixed.append(
                clopper_pearson_bounds(
                    int(generator.binomial(PUBLISHED_VOTES, p)), PUBLISHED_VOTES, options.failure_probability
                )[0]
                > required_probabilities
            )
        print(
            f"sigma {sigma}: {sum(votes_drawn) / options.images:.0f} votes for each image, median {np.median(votes_drawn):.0f}"
        )
        for name, rows in (
            ("drawn until proved or given up", proved),
            (f"{PUBLISHED_VOTES} votes for each image", fixed),
        ):
            shares = " ".join(f"{share:6.1%}" for share in np.sum(rows, axis=0) / options.images)
            print(f"  certified at {options.radii}: {shares}   {name}")
