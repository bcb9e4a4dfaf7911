"""What is carried from node to node: values with what is proven of them, and views that only pick from such values."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .rounding import length, product, root, total


@dataclass(frozen=True, eq=False)
class Values:
    """The values of a tensor as a function of the network's input x, for one row of a batch."""

    centre: np.ndarray  # float64, flat: about the values at the middle of the box of inputs
    centre_error: float  # at least the distance of `centre` from them
    lipschitz: float  # at least the l2 Lipschitz constant, in exact arithmetic, on all of R^n
    reach: float  # at least the distance of the box's middle from any point of the box
    error: float  # at least the distance between what is computed and the exact values, for every x in the box
    dtype: np.dtype  # in which they are computed
    terms: int = 0  # products that a runtime may still be summing when the next addend comes; 0 where nothing can be added to the sum
    mass: float = 0.0  # of that sum: at least the length of its terms' absolute values added up, which roundings are relative to
    factors: int = 0  # multiplications by constants that a runtime may put off into the next layer's weights

    @cached_property
    def length(self) -> float:
        """At least the Euclidean length of the exact values, for every x in the box."""
        return total(length(self.centre), self.centre_error, product(self.lipschitz, self.reach))

    @cached_property
    def computed_length(self) -> float:
        return total(self.length, self.error)


@dataclass(frozen=True, eq=False)
class View:
    """A tensor whose elements are those of `values` at `index`, or zero where it is -1.

    Slices, splits, concatenations, transpositions, paddings and reshapes are all of this kind, and compute nothing.
    """

    values: Values
    index: np.ndarray

    @cached_property
    def norm(self) -> float:
        """Of the linear map that picks: the root of how often the most picked value is picked."""
        counts = np.bincount(self.index.ravel() + 1, minlength=2)[1:]
        return root(float(counts.max())) if counts.max() > 1 else 1.0

    @property
    def is_injective(self) -> bool:
        return self.norm == 1.0 and self.index.size > 0 and int(self.index.min()) >= 0

    @cached_property
    def centre(self) -> np.ndarray:
        return np.append(self.values.centre, 0.0)[self.index]

    def picked(self) -> Values:
        """As values of their own, in the shape of the view."""
        values, norm = self.values, self.norm
        return Values(
            centre=self.centre.ravel(),
            centre_error=product(norm, values.centre_error),
            lipschitz=values.lipschitz if norm == 1 else product(norm, values.lipschitz),
            reach=values.reach,
            error=values.error if norm == 1 else product(norm, values.error),
            dtype=values.dtype,
            terms=values.terms,
            mass=product(norm, values.mass),
            factors=values.factors,
        )


def whole(values: Values, shape: tuple[int, ...]) -> View:
    return View(values, np.arange(values.centre.size).reshape(shape))


def side_by_side(views: list[View]) -> list[View]:
    """The same tensors as views of one: their values one after the other."""
    if all(view.values is views[0].values for view in views):
        return views
    if len({view.values.dtype for view in views}) > 1:
        raise ValueError("tensors of different types are joined")
    parts = [view.picked() for view in views]

    def root_sum_square(numbers: list[float]) -> float:
        return root(total(*(product(number, number) for number in numbers)))

    joined = Values(
        centre=np.concatenate([part.centre for part in parts]),
        centre_error=root_sum_square([part.centre_error for part in parts]),
        lipschitz=root_sum_square([part.lipschitz for part in parts]),
        reach=parts[0].reach,
        error=root_sum_square([part.error for part in parts]),
        dtype=parts[0].dtype,
        terms=max(part.terms for part in parts),
        mass=root_sum_square([part.mass for part in parts]),
        factors=max(part.factors for part in parts),
    )
    starts = np.cumsum([0, *(part.centre.size for part in parts)])
    return [View(joined, start + np.arange(view.index.size).reshape(view.index.shape)) for start, view in zip(starts, views)]
