"""Muon for the matrices (Jordan et al. 2024), Adam for the rest. Both learning rates decay linearly
to a final rate.
"""

import torch

WARM_UP = 0.02  # share of the steps in which the learning rate rises


class Optimiser:
    """Muon and Adam, with their learning-rate schedule."""

    def __init__(self, network: torch.nn.Module, muon_rate: float, adam_rate: float, steps: int, final: float = 0.0):
        """The rates are the peaks. They end at `final` times the peak."""
        self.network = network
        muon_parameters = network.muon_parameters()
        muon_ids = {id(p) for p in muon_parameters}
        others = [p for p in network.parameters() if p.requires_grad and id(p) not in muon_ids]
        self.muon = torch.optim.Muon(muon_parameters, lr=muon_rate, momentum=0.6, nesterov=True, weight_decay=0.0)
        self.adam = torch.optim.Adam(others, lr=adam_rate, betas=(0.85, 0.95))
        self.rates = (muon_rate, adam_rate)
        self.steps, self.final = steps, final

    def step(self, number: int) -> None:
        """Step `number` of `steps`, from 0."""
        share = number / self.steps
        factor = min(1.0, (share + 1 / self.steps) / WARM_UP) * (1 - share * (1 - self.final))
        self.network.project_gradients()
        for optimiser, rate in zip((self.muon, self.adam), self.rates):
            optimiser.param_groups[0]["lr"] = rate * factor
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        self.network.project_weights()

    def state_dict(self) -> dict:
        return {"muon": self.muon.state_dict(), "adam": self.adam.state_dict()}

    def load_state_dict(self, state: dict) -> None:
        self.muon.load_state_dict(state["muon"])
        self.adam.load_state_dict(state["adam"])
