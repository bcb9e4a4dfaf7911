"""When to stop drawing the votes of an image: when a radius is proved by the anytime bound, or is
not worth more votes.

Cohen and others (2019) draw 100,000 votes for each image and compute one Clopper-Pearson bound from
them. This rule draws votes until the last radius of a list is proved, or until the next unproved
radius is given up:

- It is sound. The anytime bound holds at all numbers of votes at once, so any reason to stop is
  free. Each certificate is false with probability at most `failure_probability`, as with a fixed
  number.
- It is conservative. At any one number of votes the anytime bound is below Clopper-Pearson's, and
  giving up can only lose radii.

A radius r is proved by p > p0 = Phi(r / sigma). It may cost as many votes as prove a class whose
true radius is more than `resolution` sigma above r. For r = 0 these are a few thousand, for r = 3
sigma the whole budget: p0 (1 - p0) / phi(r / sigma)^2 is the number of votes that a step in r /
sigma takes. Before these votes are drawn, r is given up if they would prove it with probability at
most `GIVE_UP_PROBABILITY`, for the largest p that the votes so far allow. In a simulation of a
classifier with Cohen's certified accuracies (`simulate-votes`), the rule draws a few thousand votes
for each image instead of 100,000 and finds certified accuracies 1 to 2.5 points lower.

Radii between those of the list are proved too where the bound happens to be high enough, but no
votes are drawn for them.
"""

import math
from bisect import bisect_left
from dataclasses import dataclass
from statistics import NormalDist

from scipy.stats import beta

from certimix_models.evaluate.defaults import RADIUS_RESOLUTION
from certimix_models.evaluate.mathematics.confidence_bounds import anytime_lower_bound, anytime_upper_bound

NORMAL = NormalDist()
VOTE_BATCH = 128
GIVE_UP_PROBABILITY = 0.05
# failure probability of the upper bound behind giving up: it affects the effort, never what is
# proved
GIVE_UP_LEVEL = 0.1
# Approximately how many standard deviations a share must be above p0 to be proved: that of the
# anytime bound, at failure probability 0.001 and some 10,000 votes.
PROOF_DEVIATIONS = 4.2


@dataclass(frozen=True)
class RadiusGoal:
    """A radius to prove."""

    # the class is certified at the radius once its probability is proved to be above this
    required_probability: float
    vote_limit: int  # most votes to spend on it
    hopeless_probability: float  # a probability of at most this would hardly prove it within the limit


@dataclass(frozen=True)
class VotePlan:
    """The radii to prove, and the most votes to spend on them."""

    sigma: float
    radii: tuple[float, ...]
    failure_probability: float
    budget: int
    resolution: float = RADIUS_RESOLUTION  # step in radius, in units of sigma; finer costs more votes

    def goals(self) -> list[RadiusGoal]:
        return [self.goal(radius) for radius in sorted(self.radii)]

    def goal(self, radius: float) -> RadiusGoal:
        quantile = radius / self.sigma
        required_probability = NORMAL.cdf(quantile)
        votes = (
            required_probability
            * (1 - required_probability)
            * (PROOF_DEVIATIONS / (self.resolution * NORMAL.pdf(quantile))) ** 2
        )
        vote_limit = min(self.budget, math.ceil(votes))
        hits = bisect_left(
            range(vote_limit + 1),
            True,
            key=lambda successes: (
                anytime_lower_bound(successes, vote_limit, self.failure_probability) > required_probability
            ),
        )
        if hits > vote_limit:
            return RadiusGoal(required_probability, vote_limit, 1.0)
        # P(hits or more) = GIVE_UP_PROBABILITY at this quantile of Beta(hits, limit - hits + 1).
        return RadiusGoal(
            required_probability, vote_limit, float(beta.ppf(GIVE_UP_PROBABILITY, hits, vote_limit - hits + 1))
        )


class StoppingRule:
    """Decides after each batch whether an image needs more votes."""

    def __init__(self, plan: VotePlan):
        self.plan, self.goals = plan, plan.goals()

    def is_done(self, hits: int, votes: int) -> bool:
        """Whether to stop after so many votes, of which `hits` are for the class."""
        if votes == 0:
            return False
        lower = anytime_lower_bound(hits, votes, self.plan.failure_probability)
        goal = next((goal for goal in self.goals if lower <= goal.required_probability), None)
        return (
            goal is None
            or votes >= goal.vote_limit
            or anytime_upper_bound(hits, votes, GIVE_UP_LEVEL) <= goal.hopeless_probability
        )

    def next_chunk(self, votes: int) -> int:
        """How many votes to draw next: whole batches, about a tenth of those drawn, and never more
        than the budget leaves.
        """
        return min(max(1, round(votes / 10 / VOTE_BATCH)) * VOTE_BATCH, self.plan.budget - votes)


def smoothed_radius(sigma: float, lower: float) -> float:
    """The radius of the smoothed classifier without a mixture, from a lower bound of the class's
    probability.
    """
    return sigma * NORMAL.inv_cdf(lower) if lower > 0.5 else 0.0
