"""The average of a network's weights over the steps of a training."""

import torch

PROJECTIONS = 8


class WeightAverage:
    """The average of the weights after each step, with a weight that grows linearly with the step
    (polynomial-decay averaging, Shamir and Zhang 2013, with eta = 1).
    """

    def __init__(self, network: torch.nn.Module):
        self.steps = 0
        self.weights = [parameter.detach().clone() for parameter in network.parameters()]

    @torch.no_grad()
    def add(self, network: torch.nn.Module) -> None:
        """Adds the weights after one more step."""
        self.steps += 1
        torch._foreach_lerp_(self.weights, list(network.parameters()), 2 / (self.steps + 1))

    @torch.no_grad()
    def copy_to(self, network: torch.nn.Module) -> None:
        """Sets the weights to the average. An average of orthogonal matrices is not orthogonal, so
        the network is projected.
        """
        for parameter, weight in zip(network.parameters(), self.weights):
            parameter.copy_(weight)
        for _ in range(PROJECTIONS):
            network.project_weights()

    def state_dict(self) -> dict:
        return {"steps": self.steps, "weights": self.weights}

    def load_state_dict(self, state: dict) -> None:
        self.steps = state["steps"]
        self.weights = [weight.clone() for weight in state["weights"]]
