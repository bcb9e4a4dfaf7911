"""Loads what both networks say about the test images, for the experiments that need no attack."""

import argparse

import numpy as np
from scipy.special import softmax

from certimix_models.dataset.cifar10 import load_cifar10
from certimix_models.evaluate.gated_mixtures.setting_search import ImageRows
from certimix_models.evaluate.networks.bundled_model import BundledModel, load_model
from certimix_models.evaluate.networks.cached_logits import cached_logits


def load_image_rows(options: argparse.Namespace) -> tuple[ImageRows, BundledModel, BundledModel]:
    """The rows of all test images, and the models g and h."""
    cifar10 = load_cifar10(options.work_dir)
    g, h = load_model(options.standard, options.threads), load_model(options.robust, options.threads)
    guarantee = h.manifest["guarantee"]
    if guarantee["kind"] != "lipschitz_logits" or guarantee["norm"] != "l2":
        raise SystemExit(f"{h.path}: guarantee.kind is {guarantee['kind']}, expected lipschitz_logits in l2")
    images = list(range(len(cifar10.test_labels)))
    standard, robust = (cached_logits(model, cifar10, images, options.cache) for model in (g, h))
    labels = cifar10.test_labels.astype(np.int64)
    return ImageRows(labels, softmax(standard, axis=1), robust, guarantee), g, h
