"""Default settings that the options and the experiments share. Imports nothing, so that `--help` needs no package."""

PGD_STEPS = 20
# for the robust network; the Lipschitz network's logits are close together
TEMPERATURE = {"linf": 1.0, "l2": 0.2}
MIX_ALPHAS = [0.25, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95]  # for the attack on the mixture, beside 0 and 1
STRENGTHS = [0.5, 1.0, 2.0, 5.0, 20.0]  # gamma times the median of R_i
VOTE_RADII = [k / 8 for k in range(7)]  # l2, for images in [0, 1]
RADIUS_RESOLUTION = 0.1  # in units of sigma
PUBLISHED_VOTES = 100_000  # for each image, in published procedures
