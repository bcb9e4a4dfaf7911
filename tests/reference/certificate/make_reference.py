"""Writes the reference tables for src/certificate: python make_reference.py [table ...]

The script computes every value with 60 digits from the exact binary value of each input. Where it can, it uses other
formulas than the Rust code: gamma functions instead of Stirling remainders, bisection instead of Newton's method. Each
row has the exact value in 40 digits and the two adjacent floats, so that a test finds the sound side without
arithmetic. Floats are strings in the tables, because JSON readers may round numbers.
"""

import json
import math
import struct
import sys
from pathlib import Path

from mpmath import asin, betainc, erfc, exp, expm1, log, loggamma, log1p, mp, mpf, nstr, pi, sqrt

mp.dps = 60
HERE = Path(__file__).parent


def bracketed(x):
    """Returns the exact value, the largest float at or below it, and the smallest float at or above it."""
    near = float(x)
    down = near if mpf(near) <= x else math.nextafter(near, -math.inf)
    up = near if mpf(near) >= x else math.nextafter(near, math.inf)
    return {"exact": nstr(x, 40), "down": repr(down), "up": repr(up)}


def bisect(holds, low, high, steps=240):
    """Returns the last point between low and high where `holds` is true. It is true at low and false at high."""
    for _ in range(steps):
        middle = (low + high) / 2
        if holds(middle):
            low = middle
        else:
            high = middle
    return low


# The normal distribution ---------------------------------------------------------------------------------


def tail(x):
    return erfc(x / sqrt(mpf(2))) / 2


def normal_quantile(p, complement):
    """Returns the normal quantile of p. It uses the smaller of p and its complement 1 - p."""
    small = min(p, complement)
    if small == mpf("0.5"):
        return mpf(0)
    x = bisect(lambda x: tail(x) > small, mpf(0), mpf(41))
    return x if complement < p else -x


def probability_and_complement(bound):
    """Returns (p, 1 - p) of a bound given as {"value": float} or {"complement": float}."""
    if "value" in bound:
        return mpf(bound["value"]), 1 - mpf(bound["value"])
    return 1 - mpf(bound["complement"]), mpf(bound["complement"])


def quantiles():
    values = [1e-300, 1e-100, 1e-16, 1e-9, 0.001, 0.1, 0.2499, 0.25, 0.2501, 0.4, 0.4999999, 0.5]
    values += [0.5000001, 0.6, 0.75, 0.9, 0.99, 0.999999, 1 - 1e-12, 1 - 2.0**-53]
    bounds = [{"value": v} for v in values]
    bounds += [{"complement": c} for c in [1e-300, 1e-200, 1e-50, 1e-20, 1e-17, 1e-5, 0.3, 0.49999, 0.7, 0.999]]
    return [{"p": b, "quantile": bracketed(normal_quantile(*probability_and_complement(b)))} for b in bounds]


def cdfs():
    xs = [-37.0, -20.5, -8.0, -3.3, -1.0, -1e-9, 0.0, 1e-9, 0.3, 1.0, 2.5, 6.0, 8.3, 20.0, 37.0]
    return [{"x": x, "value": bracketed(tail(-mpf(x))), "complement": bracketed(tail(mpf(x)))} for x in xs]


# Bounds from votes ---------------------------------------------------------------------------------------


def log_binomial_tail(hits, votes, p, q):
    """Returns ln P(Bin(votes, p) >= hits), for p below hits/votes."""
    total, term, k = mpf(1), mpf(1), hits
    while k < votes:
        term *= mpf(votes - k) / (k + 1) * p / q
        total += term
        k += 1
        if term < total * mpf(10) ** -58:
            break
    choose = loggamma(votes + 1) - loggamma(hits + 1) - loggamma(votes - hits + 1)
    return choose + hits * log(p) + (votes - hits) * log(q) + log(total)


def from_log_odds(u):
    return 1 / (1 + exp(-u)), 1 / (1 + exp(u))


def clopper_pearson_lower(hits, votes, delta):
    if hits == 0:
        return mpf(0), mpf(1)
    if hits == votes:
        return exp(log(delta) / votes), -expm1(log(delta) / votes)
    low, high = log(delta) - log(mpf(votes)) - 5, log(mpf(hits) / (votes - hits))
    # Regula falsi on the log of the tail, which is concave in the log-odds.
    f = lambda u: log_binomial_tail(hits, votes, *from_log_odds(u)) - log(delta)
    u = find_root(f, low, high)
    return from_log_odds(u)


def anytime_lower(hits, votes, delta):
    if hits == 0:
        return mpf(0), mpf(1)
    misses = votes - hits
    half = mpf(1) / 2
    log_beta = loggamma(half + hits) + loggamma(half + misses) - loggamma(mpf(votes) + 1) - log(pi)

    def f(u):
        p, q = from_log_odds(u)
        return -(log_beta - hits * log(p) - misses * log(q) + log(delta))

    low = log(delta) - log(mpf(votes)) - 20
    high = log(mpf(hits) / misses) if misses else log(mpf(votes)) + 800
    return from_log_odds(find_root(f, low, high))


def find_root(f, low, high):
    """Returns the root of an increasing f. Bisection finds a few digits, and the secant method the rest."""
    low = bisect(lambda u: f(u) < 0, low, high, 40)
    a, b = low, low + mpf(10) ** -8
    fa, fb = f(a), f(b)
    for _ in range(12):
        if fb == fa or abs(b - a) < mpf(10) ** -50:
            break
        a, b = b, b - fb * (b - a) / (fb - fa)
        fa, fb = fb, f(b)
    return b


COUNTS = [(0, 1), (1, 1), (0, 10), (10, 10), (1, 10), (9, 10), (5, 10), (15, 31), (16, 33), (99, 100), (50, 100)]
COUNTS += [(1, 1000), (999, 1000), (1000, 1000), (90_000, 100_000), (99_999, 100_000), (100_000, 100_000)]
COUNTS += [(1, 1_000_000), (10, 1_000_000), (500_000, 1_000_000), (999_000, 1_000_000), (999_999, 1_000_000)]
COUNTS += [(1_000_000, 1_000_000), (0, 1_000_000)]
DELTAS = [0.5, 0.05, 0.001, 1e-6, 1e-20, 1e-100, 1e-300]


def vote_bounds(lower):
    rows = []
    for hits, votes in COUNTS:
        for delta in DELTAS:
            low, low_complement = lower(hits, votes, mpf(delta))
            high_complement, high = lower(votes - hits, votes, mpf(delta))
            rows.append({
                "hits": hits, "votes": votes, "failure_probability": delta,
                "lower": bracketed(low), "lower_complement": bracketed(low_complement),
                "upper": bracketed(high), "upper_complement": bracketed(high_complement),
            })
    return rows


def e_values():
    rows = []
    targets = [{"value": v} for v in [1e-12, 0.3, 0.5, 0.8177236823380976, 0.97]] + [{"complement": 1e-6}, {"complement": 1e-20}]
    for hits, votes in [(1, 1), (0, 7), (50, 50), (8, 10), (30, 60), (90, 100), (290, 300), (800, 1000), (200, 1000), (970, 1000), (2000, 2000)]:
        for target in targets:
            p, q = probability_and_complement(target)
            misses, half = votes - hits, mpf(1) / 2
            log_beta = loggamma(half + hits) + loggamma(half + misses) - loggamma(mpf(votes) + 1)
            mixture = log_beta - log(pi) - (hits * log(p) + misses * log(q))
            above = betainc(misses + half, hits + half, 0, q, regularized=True)
            prior = 2 / pi * asin(sqrt(q))
            rows.append({"hits": hits, "votes": votes, "p0": target, "log_e_value": bracketed(mixture + log(above) - log(prior))})
    return rows


# Radii ---------------------------------------------------------------------------------------------------

PROBABILITIES = [
    ({"value": 0.99}, {"value": 1.0}), ({"value": 0.9}, {"value": 1.0}), ({"value": 0.7}, {"value": 1.0}),
    ({"complement": 1e-300}, {"value": 1.0}), ({"complement": 1e-20}, {"value": 1.0}), ({"complement": 1e-9}, {"value": 1.0}),
    ({"value": 0.9}, {"value": 0.05}), ({"value": 0.6}, {"value": 0.01}), ({"value": 0.4}, {"value": 0.1}),
    ({"value": 0.99}, {"value": 1e-9}), ({"value": 0.5}, {"value": 1e-300}), ({"complement": 1e-20}, {"value": 1e-22}),
    ({"complement": 1e-300}, {"value": 1e-301}), ({"value": 1e-9}, {"value": 1e-12}), ({"value": 0.5}, {"value": 0.4999}),
    ({"value": 0.999}, {"value": 0.0001}), ({"value": 0.3}, {"value": 0.6}), ({"value": 0.0}, {"value": 1.0}),
]
ALPHAS = [0.3, 0.5, 0.5 + 1e-12, 0.5000001, 0.6, 0.76, 0.9, 0.999999, 1 - 2.0**-53, 1.0]
SIGMAS = [0.5, 1e-12, 1e12]


def near_threshold():
    """Returns probabilities slightly above the threshold of a certificate, where quantiles cancel."""
    cases = []
    for alpha in [0.5000001, 0.6, 0.76, 0.9, 0.999999, 1.0]:
        for gap in [1e-2, 1e-4, 1e-5, 1e-6, 1e-9, 1e-13]:
            needed = 1 / (2 * alpha)
            cases.append(({"value": needed + (1 - needed) * gap}, {"value": 1.0}, [alpha]))
            margin, other = (1 - alpha) / alpha, min(0.01, 1 - needed)
            cases.append(({"value": margin + other / 2 + gap * other / 4}, {"value": other / 2}, [alpha]))
    return cases


def radii():
    rows = []
    for lower, upper, alphas in [(lower, upper, ALPHAS) for lower, upper in PROBABILITIES] + near_threshold():
        pa, qa = probability_and_complement(lower)
        pb, qb = probability_and_complement(upper)
        if qa <= pb:
            pb, qb = qa, pa
        for alpha in alphas:
            a = mpf(alpha)
            theorem2 = tight = mpf(0)
            if alpha >= 0.5 and pa > 0:
                margin = (1 - a) / a
                xa, xb = normal_quantile(pa, qa), normal_quantile(pb, qb)
                theorem2 = (normal_quantile(a * pa, 1 - a + a * qa) - normal_quantile(1 - a + a * pb, a * qb)) / 2
                if pb == qa:
                    tight = xa - normal_quantile(1 / (2 * a), (2 * a - 1) / (2 * a)) if alpha > 0.5 else mpf(0)
                elif pa - pb > margin:
                    # Of two equivalent conditions, this is the one without cancellation.
                    slack = (2 * a - 1) / a
                    if margin < mpf("0.5"):
                        holds = lambda w: tail(w - xa) - tail(-(xb + w)) > margin
                    else:
                        holds = lambda w: tail(xa - w) + tail(-(xb + w)) < slack
                    tight = bisect(holds, mpf(0), (xa - xb) / 2 + 1)
            for sigma in SIGMAS:
                s = mpf(sigma)
                rows.append({
                    "alpha": alpha, "sigma": sigma, "p_lower": lower, "p_upper": upper,
                    "theorem2": bracketed(max(mpf(0), s * theorem2)), "tight": bracketed(max(mpf(0), s * tight)),
                })
    return rows


def required():
    rows = []
    for alpha in [0.5 + 1e-12, 0.6, 0.76, 0.999, 1.0]:
        for sigma, radius in [(0.5, 0.25), (0.5, 1e-9), (0.25, 1.0), (1e-6, 1e-5), (1e9, 3e9), (0.1, 2.0)]:
            a, w = mpf(alpha), mpf(radius) / mpf(sigma)
            x = w + normal_quantile(1 / (2 * a), (2 * a - 1) / (2 * a))
            theorem2 = tail(-w) / a
            row = {"alpha": alpha, "sigma": sigma, "radius": radius, "p0": bracketed(tail(-x)), "p0_complement": bracketed(tail(x))}
            row["theorem2"] = bracketed(min(mpf(1), theorem2))
            row["theorem2_complement"] = bracketed(max(mpf(0), (a - 1 + tail(w)) / a))
            rows.append(row)
    return rows


EPSILON = mpf(2) ** -52


def allowance(classes):
    return (64 + classes) * EPSILON


def theorem1():
    rows = []
    cases = [
        ([0.9, 0.06, 0.04], [1.0, 2.0, 0.5]), ([0.05, 0.95], [0.3, 0.3]), ([0.4, 0.35, 0.25], [1.0, 1.0, 1.0]),
        ([1.0, 0.0], [1e-9, 1e-9]), ([0.999, 0.0005, 0.0005], [1e9, 1e3, 1e12]),
    ]
    for h, constants in cases:
        for alpha in [0.5, 0.5 + 1e-12, 0.6, 0.76, 0.95, 1.0]:
            for error in [0.0, 1e-7, 1e-3]:
                a, best = mpf(alpha), None
                y = max(range(len(h)), key=lambda i: h[i])
                for i in range(len(h)):
                    if i != y:
                        margin = mpf(h[y]) - mpf(h[i]) - 4 * mpf(error) - allowance(len(h))
                        r = (a * margin + a - 1) / (a * (mpf(constants[y]) + mpf(constants[i])))
                        best = r if best is None else min(best, r)
                rows.append({"alpha": alpha, "probabilities": h, "constants": constants, "error_bound": error, "radius": bracketed(max(mpf(0), best))})
    return rows


def logit():
    rows = []
    for z in [[struct.unpack("f", struct.pack("f", v))[0] for v in z] for z in [[3.0, 1.0, 0.5], [0.25, 4.5], [1.0, 0.9375, 0.5, -2.0], [100.0, -100.0, 0.0], [0.0, 2.0**-20], [3e38, 1.0, -3e38], [0.1, 0.3, 0.2]]]:
        for alpha in [0.5, 0.5 + 1e-9, 0.6, 0.76, 0.95, 1.0]:
            for temperature in [1.0, 0.05, 20.0]:
                for constant in [1.0, 0.01]:
                    for error in [0.0, 1e-5]:
                        a, t = mpf(alpha), mpf(temperature)
                        y = max(range(len(z)), key=lambda i: z[i])
                        second = max(v for i, v in enumerate(z) if i != y)
                        mu = (1 - a) / a + allowance(len(z))
                        moved = mpf(0)
                        if mu < 1:
                            # By definition, every z_y - z_j decreases by the same amount until h_y - h_i = mu.
                            weights = [exp((mpf(v) - mpf(second)) / t) for i, v in enumerate(z) if i != y]
                            scale = (1 - mu) / (1 + mu * sum(weights))
                            moved = mpf(z[y]) - mpf(second) + t * log(scale) - 4 * mpf(error)
                        moved = max(mpf(0), moved)
                        rows.append({
                            "alpha": alpha, "logits": z, "temperature": temperature, "constant": constant, "error_bound": error,
                            "vector": bracketed(moved / (sqrt(mpf(2)) * mpf(constant))), "per_logit": bracketed(moved / (2 * mpf(constant))),
                        })
    return rows


def levels():
    """Returns rows with the largest integer N where sqrt(N) / levels < radius."""
    rows = []
    for radius in [0.25, 1.0, 5e-324, 1e-3, 1 / 255, math.nextafter(1 / 255, 1), 0.1, 36 / 255, 2.0, 255.0, 3.7e6, 1e7, 1e300]:
        for count in [1, 2, 255, 256, 65535, 65536, 2**32 - 1]:
            m, n = radius.as_integer_ratio()
            top, bottom = (m * count) ** 2, n * n
            rows.append({"radius": radius, "levels": count, "n": min(2**64 - 1, -(-top // bottom) - 1)})
    return rows


def mixtures():
    rows = []
    for alpha in [0.0, 1e-12, 0.3, 0.76, 1 - 2.0**-53, 1.0]:
        for g, h in [(-0.1, -3.0), (-700.0, -1e-9), (-1e-12, -708.0), (-0.6931471805599453, -0.6931471805599453), (-650.0, -690.0)]:
            a = mpf(alpha)
            rows.append({"alpha": alpha, "standard": g, "robust": h, "mixed": bracketed(log((1 - a) * exp(mpf(g)) + a * exp(mpf(h))))})
    return rows


def float32(x):
    return struct.unpack("f", struct.pack("f", x))[0]


def margin_rows():
    """Returns (kind, row, temperature): logits and probabilities with margins from 1e-13 to nearly 1."""
    steep = [40.0, 0.0, -1.0], [6.0, 0.0], [20.0, 3.0, 2.0, 1.0]
    near_ties = [1e-6, 1.0000001e-6], [0.25, 0.25 + 2.0**-25, -3.0], [1.0, 1.0, 0.5]
    common = [3.0, 1.0, 0.5], [1.0, 0.9375, 0.5, -2.0], [0.1, 0.3, 0.2], [100.0, -100.0, 0.0], [-350.0, -351.0]
    many = [[2.5] + [((7 * i) % 31) / 16 for i in range(classes)] for classes in (9, 99, 999)]
    rows = [("logits", z, t) for z in (*steep, *near_ties, *common, *many) for t in (0.05, 1.0, 20.0)]
    for p in [[0.9, 0.06, 0.04], [0.05, 0.95], [0.4, 0.35, 0.25], [1.0, 0.0], [1.0 + 5e-4, -5e-4], [0.5 + 1e-7, 0.5 - 1e-7]]:
        rows.append(("probabilities", p, 1.0))
    rows.append(("probabilities", [0.3] + [0.7 / 999] * 999, 1.0))
    return [(kind, [float32(v) for v in row], t) for kind, row, t in rows]


def exact_margin(kind, row, temperature):
    """Returns h_y - h_i for the two largest entries of h: of softmax(row / T), or of the row limited to [0, 1]."""
    if kind == "logits":
        powers = [exp((mpf(v) - mpf(max(row))) / mpf(temperature)) for v in row]
        h = [power / sum(powers) for power in powers]
    else:
        h = [min(max(mpf(v), mpf(0)), mpf(1)) for v in row]
    first, second = sorted(h)[-1:-3:-1]
    return first - second


def gated_rules():
    """Returns rows of h, each with alphas whose mu is close to the margin of h.

    `excess` is margin - mu in units of 2^-52, for the exact mu of the float alpha. A float alpha cannot hold every
    distance, so each case states the distance that its alpha has.
    """
    rows = []
    for kind, values, temperature in margin_rows():
        margin = exact_margin(kind, values, temperature)
        limit = 64 + len(values)
        cases = []
        for units in [0, 1, -1, 4, -4, 16, -16, limit, -limit, 2 * limit, -2 * limit, 10**6, -(10**6)]:
            mu = margin - units * EPSILON
            if 0 <= mu <= 1:
                alpha = float(1 / (1 + mu))
                excess = (margin - (1 - mpf(alpha)) / mpf(alpha)) / EPSILON
                cases.append({"alpha": alpha, "excess": float(excess)})
        rows.append({"kind": kind, "row": values, "temperature": temperature, "margin": bracketed(margin), "cases": cases})
    return rows


def as_strings(value):
    """Returns the row with each float as the shortest string that parses to the same float."""
    if isinstance(value, dict):
        return {key: as_strings(part) for key, part in value.items()}
    if isinstance(value, list):
        return [as_strings(part) for part in value]
    return repr(value) if isinstance(value, float) else value


TABLES = {
    "quantiles": quantiles, "cdfs": cdfs, "clopper_pearson": lambda: vote_bounds(clopper_pearson_lower),
    "anytime": lambda: vote_bounds(anytime_lower), "e_values": e_values, "radii": radii, "required": required,
    "theorem1": theorem1, "logit": logit, "levels": levels, "mixtures": mixtures, "gated_rules": gated_rules,
}

if __name__ == "__main__":
    for name in sys.argv[1:] or TABLES:
        rows = TABLES[name]()
        lines = ",\n".join(json.dumps(as_strings(row)) for row in rows)
        (HERE / f"{name}.json").write_text(f"[\n{lines}\n]\n")
        print(name, len(rows), flush=True)
