"""When to stop drawing the votes of an image: a radius is proved by the anytime bound, or it is not worth more votes.

Cohen and others (2019) draw 100,000 votes for each image and read one Clopper-Pearson bound off them. Here votes are drawn
until the last radius of a list is proved, or until the next one that is not yet proved is given up:

- sound: the anytime bound holds at all numbers of votes at once, so whatever makes the drawing stop costs nothing, and each
  certificate is false with probability at most `failure_probability`, as with a fixed number;
- conservative: at any one number of votes the anytime bound is below Clopper-Pearson's, and giving up only ever loses radii.

A radius r asks whether p > p0 = Phi(r / sigma). It may cost so many votes that a class is proved whose true radius is more than
`resolution` sigma above r: for r = 0 a few thousand, for r = 3 sigma the whole budget, for p0 (1 - p0) / phi(r / sigma)^2 says how many
votes a step in r / sigma takes. Before they are drawn r is given up when, for the largest p that the votes so far allow, they
would prove it with probability `GIVE_UP` at most. Simulated for a classifier with Cohen's certified accuracies (`simulate.py`), this
draws a few thousand votes an image instead of 100,000 and finds certified accuracies 1 to 2.5 points lower.

Radii between those of the list are proved too where the bound happens to be high enough, but votes are not drawn for them.
"""

import math
from bisect import bisect_left
from dataclasses import dataclass
from statistics import NormalDist

from bounds import anytime_lower, anytime_upper
from scipy.stats import beta

NORMAL = NormalDist()
BATCH = 128
RESOLUTION = 0.1
GIVE_UP = 0.05
LOOSE = 0.1  # level of the upper bound behind giving up: decides on effort, never on what is proved
# How many standard deviations a share must be above p0 to be proved, roughly: the anytime bound's, at 0.001 and some 10,000 votes.
DEVIATIONS = 4.2


@dataclass(frozen=True)
class Goal:
    """A radius to be proved."""

    needed: float  # the class is certified there once its probability is proved to be above this
    limit: int  # of votes
    hopeless: float  # probabilities of at most this would hardly prove it within the limit


@dataclass(frozen=True)
class Plan:
    sigma: float
    radii: tuple[float, ...]
    failure_probability: float
    budget: int
    resolution: float = RESOLUTION  # of radii, in units of sigma: finer costs more votes

    def goals(self) -> list[Goal]:
        return [self.goal(radius) for radius in sorted(self.radii)]

    def goal(self, radius: float) -> Goal:
        quantile = radius / self.sigma
        needed = NORMAL.cdf(quantile)
        votes = needed * (1 - needed) * (DEVIATIONS / (self.resolution * NORMAL.pdf(quantile))) ** 2
        limit = min(self.budget, math.ceil(votes))
        hits = bisect_left(range(limit + 1), True, key=lambda s: anytime_lower(s, limit, self.failure_probability) > needed)
        if hits > limit:
            return Goal(needed, limit, 1.0)
        # P(hits or more) = GIVE_UP at this quantile of Beta(hits, limit - hits + 1).
        return Goal(needed, limit, float(beta.ppf(GIVE_UP, hits, limit - hits + 1)))


class Stopping:
    """Follows the votes of one image after another."""

    def __init__(self, plan: Plan):
        self.plan, self.goals = plan, plan.goals()

    def done(self, hits: int, votes: int) -> bool:
        if votes == 0:
            return False
        lower = anytime_lower(hits, votes, self.plan.failure_probability)
        goal = next((goal for goal in self.goals if lower <= goal.needed), None)
        return goal is None or votes >= goal.limit or anytime_upper(hits, votes, LOOSE) <= goal.hopeless

    def chunk(self, votes: int) -> int:
        """How many to draw next: whole batches, and about a tenth of what there is; never more than the budget leaves."""
        return min(max(1, round(votes / 10 / BATCH)) * BATCH, self.plan.budget - votes)


def radius(sigma: float, lower: float) -> float:
    """Of the smoothed classifier alone, from a lower bound of the class's probability."""
    return sigma * NORMAL.inv_cdf(lower) if lower > 0.5 else 0.0
