"""The state that the proof carries from node to node: bounds of a tensor, and views that only
select its elements.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from certimix_models.prove.directed_rounding import l2_norm_up, product_up, sqrt_up, sum_up


@dataclass(frozen=True, eq=False)
class TensorBounds:
    """The values of a tensor as a function of the network's input x, for one row of a batch."""

    centre: np.ndarray  # float64, flat: approximately the values at the centre of the box of inputs
    centre_error: float  # at least the distance of `centre` from the exact values there
    lipschitz: float  # at least the l2 Lipschitz constant, in exact arithmetic, on all of R^n
    input_radius: float  # at least the distance between the box's centre and any point of the box
    error: float  # at least the distance between the computed and the exact values, for every x in the box
    dtype: np.dtype  # the type in which a runtime computes the values
    # products that a runtime may still be summing when the next addend comes; 0 if nothing can join
    # the sum
    open_terms: int = 0
    # at least the norm of the sums of the open terms' absolute values, to which roundings are
    # relative
    open_magnitude: float = 0.0
    # multiplications by constants that a runtime may defer into the next layer's weights
    pending_factors: int = 0

    @cached_property
    def exact_norm(self) -> float:
        """At least the Euclidean norm of the exact values, for every x in the box."""
        return sum_up(l2_norm_up(self.centre), self.centre_error, product_up(self.lipschitz, self.input_radius))

    @cached_property
    def computed_norm(self) -> float:
        """At least the Euclidean norm of the computed values, for every x in the box."""
        return sum_up(self.exact_norm, self.error)


@dataclass(frozen=True, eq=False)
class TensorView:
    """A tensor whose elements are those of `bounds` at `index`, or zero where the index is -1.

    Slices, splits, concatenations, transpositions, paddings and reshapes are views: they compute
    nothing.
    """

    bounds: TensorBounds
    index: np.ndarray

    @cached_property
    def selection_norm(self) -> float:
        """The norm of the linear map that selects: the root of how often the most selected value is
        selected.
        """
        counts = np.bincount(self.index.ravel() + 1, minlength=2)[1:]
        return sqrt_up(float(counts.max())) if counts.max() > 1 else 1.0

    @property
    def is_injective(self) -> bool:
        """Whether no value is selected twice and no element is a padding zero."""
        return self.selection_norm == 1.0 and self.index.size > 0 and int(self.index.min()) >= 0

    @cached_property
    def centre(self) -> np.ndarray:
        """The elements at the centre of the box of inputs."""
        return np.append(self.bounds.centre, 0.0)[self.index]

    def materialise(self) -> TensorBounds:
        """The selected elements as a tensor of their own, in the shape of the view."""
        bounds, norm = self.bounds, self.selection_norm
        return TensorBounds(
            centre=self.centre.ravel(),
            centre_error=product_up(norm, bounds.centre_error),
            lipschitz=bounds.lipschitz if norm == 1 else product_up(norm, bounds.lipschitz),
            input_radius=bounds.input_radius,
            error=bounds.error if norm == 1 else product_up(norm, bounds.error),
            dtype=bounds.dtype,
            open_terms=bounds.open_terms,
            open_magnitude=product_up(norm, bounds.open_magnitude),
            pending_factors=bounds.pending_factors,
        )


def full_view(bounds: TensorBounds, shape: tuple[int, ...]) -> TensorView:
    """A view of all elements, in this shape."""
    return TensorView(bounds, np.arange(bounds.centre.size).reshape(shape))


def views_of_joined_tensor(views: list[TensorView]) -> list[TensorView]:
    """The same tensors as views of one tensor, which holds their values one after the other."""
    if all(view.bounds is views[0].bounds for view in views):
        return views
    if len({view.bounds.dtype for view in views}) > 1:
        raise ValueError("tensors of different types are joined")
    parts = [view.materialise() for view in views]

    def root_sum_of_squares(numbers: list[float]) -> float:
        return sqrt_up(sum_up(*(product_up(number, number) for number in numbers)))

    joined = TensorBounds(
        centre=np.concatenate([part.centre for part in parts]),
        centre_error=root_sum_of_squares([part.centre_error for part in parts]),
        lipschitz=root_sum_of_squares([part.lipschitz for part in parts]),
        input_radius=parts[0].input_radius,
        error=root_sum_of_squares([part.error for part in parts]),
        dtype=parts[0].dtype,
        open_terms=max(part.open_terms for part in parts),
        open_magnitude=root_sum_of_squares([part.open_magnitude for part in parts]),
        pending_factors=max(part.pending_factors for part in parts),
    )
    starts = np.cumsum([0, *(part.centre.size for part in parts)])
    return [
        TensorView(joined, start + np.arange(view.index.size).reshape(view.index.shape))
        for start, view in zip(starts, views)
    ]
