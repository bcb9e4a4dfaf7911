"""Attacks on the bound of the rounding error: sums in the worst orders, with the worst last bits,
and the lemmas of docs/concepts/certificates.md, section 5, on trees.
"""

import itertools
import math
import unittest
from fractions import Fraction

import numpy as np
from sample_networks import NetworkBuilder

from certimix_models.prove.network_proof import prove_network
from certimix_models.prove.summation_error import WeightNorms, layer_rounding_bound, matrix_norms, sum_of_spreads

UNIT = 2.0**-24  # of float32


def random_tree(leaves: int, random: np.random.Generator) -> list[frozenset]:
    """The leaf sets of the inner nodes of a random binary tree."""
    parts, nodes = [frozenset([leaf]) for leaf in range(leaves)], []
    while len(parts) > 1:
        left, right = sorted(random.choice(len(parts), 2, replace=False))
        parts.append(parts.pop(right) | parts.pop(left))
        nodes.append(parts[-1])
    return nodes


def all_trees(leaves: tuple[int, ...]) -> list[list[frozenset]]:
    """The inner nodes of every binary tree over the leaves."""
    if len(leaves) == 1:
        return [[]]
    trees, (first, *others) = [], leaves
    for size in range(len(others)):
        for chosen in itertools.combinations(others, size):
            rest = tuple(leaf for leaf in others if leaf not in chosen)
            pairs = itertools.product(all_trees((first, *chosen)), all_trees(rest))
            trees += [[*left, *right, frozenset(leaves)] for left, right in pairs]
    return trees


def caterpillar(order: np.ndarray) -> list[frozenset]:
    return [frozenset(order[: size + 1].tolist()) for size in range(1, len(order))]


class TreeLemmaTest(unittest.TestCase):
    """The last leaf is the bias; the others are products."""

    def assert_few_balanced_nodes(self, tree: list[frozenset], products: int):
        sizes = [len(node - {products}) for node in tree]
        for m in range(1, products // 2 + 1):
            self.assertLessEqual(sum(m <= size <= products - m for size in sizes), products - 2 * m + 3)

    def test_every_small_tree_has_few_balanced_nodes(self):
        for products in range(1, 6):
            trees = all_trees(tuple(range(products + 1)))
            self.assertGreaterEqual(len(trees), [1, 3, 15, 105, 945][products - 1])
            for tree in trees:
                self.assert_few_balanced_nodes(tree, products)

    def test_large_trees_have_few_balanced_nodes(self):
        random = np.random.default_rng(1)
        for products in (7, 30, 101):
            for _ in range(40):
                self.assert_few_balanced_nodes(random_tree(products + 1, random), products)
            self.assert_few_balanced_nodes(caterpillar(np.arange(products + 1)), products)
            self.assert_few_balanced_nodes(caterpillar(np.arange(products + 1)[::-1]), products)

    def test_partial_sums_are_within_their_spread(self):
        """Over all outputs together: the norm of the sums of |S_J| along one tree per output."""
        random = np.random.default_rng(2)
        for products, outputs in [(2, 3), (5, 4), (24, 16), (63, 8)]:
            for kind in ("gaussian", "one large", "signs"):
                weights = random.standard_normal((outputs, products))
                inputs = random.standard_normal(products)
                if kind == "one large":
                    weights[:, 0] *= 100
                if kind == "signs":
                    weights, inputs = np.sign(weights), np.ones(products)
                norms = matrix_norms(weights)
                sums = np.zeros(outputs)
                for row, terms in enumerate(weights * inputs):
                    for tree in (worst_order_tree(terms), random_tree(products, random)):
                        sums[row] = max(sums[row], sum(abs(terms[list(node)].sum()) for node in tree))
                length = np.linalg.norm(inputs)
                allowed = (products * norms.spectral + sum_of_spreads(products, norms)) * length
                self.assertLessEqual(np.linalg.norm(sums), allowed)


def worst_order(terms: np.ndarray) -> np.ndarray:
    """The positive terms from the largest, then the negative ones from the smallest."""
    return np.argsort(-terms)


def worst_order_tree(terms: np.ndarray) -> list[frozenset]:
    return caterpillar(worst_order(terms))


def balanced_weights(size: int, random: np.random.Generator) -> np.ndarray:
    """As many positive as negative weights in each row, of sizes 1 to size / 2: partial sums are
    large and whole sums small. The rows are nearly orthogonal.
    """
    sizes = np.arange(1, size // 2 + 1) / size
    return np.array([random.permutation(np.concatenate([sizes, -sizes])) for _ in range(size)])


def align_roundings(terms: np.ndarray) -> np.ndarray:
    """Changes the last bits of the float32 terms [rows, terms] so that the sums of the rows, in this
    order, round down at nearly half a unit in the last place of the sum, at each step.
    """
    aligned, total = terms.astype(np.float32), np.zeros(len(terms), np.float32)
    for step in range(aligned.shape[1]):
        term = aligned[:, step]
        place = np.spacing(np.abs(total + term)).astype(np.float64)
        below_half = np.maximum(0.5 - np.spacing(np.abs(term)) / place, 0.0)  # as near to 1/2 as the term allows
        target = (np.floor((total.astype(np.float64) + term) / place) + below_half) * place
        aligned[:, step] = target - total
        total += aligned[:, step]
    return aligned


def float32_errors(terms: np.ndarray) -> np.ndarray:
    """The errors of the float32 sums of the rows, in this order."""
    total = np.zeros(len(terms), np.float32)
    for step in range(terms.shape[1]):
        total += terms[:, step]
    return np.array([float(one) - math.fsum(row) for one, row in zip(total, terms.astype(np.float64))])


class WorstRoundingTest(unittest.TestCase):
    """The inputs are ones, so that the products are the weights. Each attack comes close to the
    bound: a bound without one of its parts would break.
    """

    def test_partial_sums_of_balanced_weights(self):
        size = 1024
        weights = balanced_weights(size, np.random.default_rng(3))
        norms = matrix_norms(weights)
        partial = np.cumsum(-np.sort(-weights, axis=1), axis=1)
        reached = np.linalg.norm(np.abs(partial).sum(axis=1))
        allowed = (size * norms.spectral + sum_of_spreads(size, norms)) * np.sqrt(size)
        self.assertLess(reached, allowed)
        self.assertGreater(reached, 0.6 * allowed)
        self.assertGreater(reached, 3 * size * norms.spectral * np.sqrt(size))  # it is the spreads that allow it

    def test_balanced_weights_with_aligned_roundings(self):
        size = 1024
        weights = balanced_weights(size, np.random.default_rng(3))
        order = np.argsort(-weights, axis=1)
        aligned = align_roundings(np.take_along_axis(weights, order, axis=1))
        # Each output sums in an order of its own. In the layer the columns are as they were.
        layer = np.zeros_like(weights)
        np.put_along_axis(layer, order, aligned, axis=1)
        length = np.linalg.norm(float32_errors(aligned))
        bound = layer_rounding_bound(matrix_norms(layer), size, 4, np.sqrt(size), 0.0, size, UNIT)
        self.assertLess(length, bound)
        self.assertGreater(length, bound / 4)

    def test_one_sign(self):
        """The sums grow to the end: the part of the bound for the whole sum."""
        weights = align_roundings(np.random.default_rng(4).uniform(0.9, 1.0, (1, 512)))
        bound = layer_rounding_bound(matrix_norms(weights), 512, 4, np.sqrt(512), 0.0, 1, UNIT)
        length = np.linalg.norm(float32_errors(weights))
        self.assertLess(length, bound)
        self.assertGreater(length, bound / 4)

    def test_sum_that_starts_at_a_large_bias(self):
        products = 512
        row = align_roundings(np.concatenate([[1.0], np.full(products, 0.4 * 2.0**-23)])[None])
        bound = layer_rounding_bound(
            matrix_norms(row[:, 1:]), products, 4, np.sqrt(products), float(row[0, 0]), 1, UNIT
        )
        length = np.linalg.norm(float32_errors(row))
        self.assertLess(length, bound)
        self.assertGreater(length, 0.9 * bound)

    def test_old_and_new_bound_are_both_used(self):
        """The bound along a tree is the smaller one for a wide layer, the other one for a narrow one."""
        for outputs, products, tighter in [(128, 1024, True), (1, 64, False)]:
            weights = np.random.default_rng(5).standard_normal((outputs, products)) / np.sqrt(products)
            norms = matrix_norms(weights)
            without_tree = WeightNorms(1e9, norms.absolute, 1e9)
            along_a_tree, by_higham = (
                layer_rounding_bound(each, products, 4, 1.0, 0.0, outputs, UNIT) for each in (norms, without_tree)
            )
            self.assertEqual(along_a_tree < 0.8 * by_higham, tighter)


class RandomOrderTest(unittest.TestCase):
    """Whole networks in float32, each output of each layer along a random tree of its own."""

    def sum_along_tree(self, terms: np.ndarray, random: np.random.Generator, fused: bool) -> np.float32:
        """Adds float64 products as float32. Fused: a chain of multiply-adds, which rounds no
        product.
        """
        parts = list(terms[random.permutation(len(terms))])
        if fused:
            total = np.float32(0)
            for term in parts:
                total = np.float32(np.float64(total) + term)
            return total
        parts = [np.float32(term) for term in parts]
        while len(parts) > 1:
            left, right = sorted(random.choice(len(parts), 2, replace=False))
            parts.append(np.float32(parts.pop(right) + parts.pop(left)))
        return parts[0]

    def test_networks_in_random_orders(self):
        random = np.random.default_rng(6)
        for trial in range(6):
            sizes = [12, 40, 16, 3]
            scale = 10.0 ** random.integers(-2, 3)
            layers = [
                (
                    (scale * random.standard_normal((m, n))).astype(np.float32),
                    random.standard_normal(m).astype(np.float32),
                )
                for n, m in itertools.pairwise(sizes)
            ]
            net = NetworkBuilder((sizes[0],), opset=17)
            result = "input"
            for index, (weight, bias) in enumerate(layers):
                result = net.node("Gemm", result, net.weight(weight), net.weight(bias), transB=1)
                result = net.node("Relu", result) if index < len(layers) - 1 else result
            proved = prove_network(net.model(result).SerializeToString(), [sizes[0]], 0.0, 1.0)
            computed = random.choice([0.0, 1.0], sizes[0]).astype(np.float32)
            exact = [Fraction(float(value)) for value in computed]
            for index, (weight, bias) in enumerate(layers):
                products = weight.astype(np.float64) * computed.astype(np.float64)  # exact: 48 bits
                terms = np.concatenate([products, bias[:, None].astype(np.float64)], axis=1)
                computed = np.array([self.sum_along_tree(row, random, trial % 2 == 0) for row in terms])
                exact = [
                    sum((Fraction(float(w)) * a for w, a in zip(row, exact)), Fraction(float(b)))
                    for row, b in zip(weight, bias)
                ]
                if index < len(layers) - 1:
                    computed, exact = np.maximum(computed, 0), [max(value, Fraction(0)) for value in exact]
            error = max(abs(Fraction(float(one)) - other) for one, other in zip(computed, exact))
            self.assertLess(float(error), proved.error)


if __name__ == "__main__":
    unittest.main()
