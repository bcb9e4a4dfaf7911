"""The report of a proof, for people and as JSON."""

from certimix_models.prove.network_proof import Proof
from certimix_models.prove.rounding_cost import Float64Offer, margin_lost, radius_lost
from certimix_models.prove.subject import Subject

NODE_COLUMN = 19  # makes the table 80 columns wide


def report_json(
    subject: Subject, proof: Proof, violations: list[str], offer: Float64Offer | None, certified: list[int], done: list
) -> dict:
    """The object that `--json` prints. `certified`: of the given inputs, with the proved error and
    with that of the offer.
    """
    guarantee = (subject.manifest or {}).get("guarantee", {})
    return {
        "name": subject.name,
        "sha256": subject.sha256,
        "constant": proof.lipschitz,
        "logit_error_bound": proof.error,
        "radius_lost_to_rounding": radius_lost(proof, proof.error),
        "claimed": {key: guarantee.get(key) for key in ("constant", "logit_error_bound")},
        "claims_too_small": violations,
        "float64": None if offer is None else {"logit_error_bound": offer.error, "not_possible": offer.reason or None},
        "inputs_that_can_be_certified": certified,
        "written": done,
        "steps": [vars(step) for step in proof.steps],
    }


def print_steps(subject: Subject, proof: Proof) -> None:
    print(f"{subject.name}: from the input to each node, for a batch of one")
    print(f"  {'operator':<13} {'shape':<12} {'its factor':>10} {'constant':>10} {'rounding':>9}  node")
    for step in proof.steps:
        shape = "x".join(map(str, step.shape[1:]))
        node = step.name if len(step.name) <= NODE_COLUMN else "..." + step.name[3 - NODE_COLUMN :]
        print(
            f"  {step.operator[:13]:<13} {shape:<12} {step.factor:10.6f} {step.lipschitz:10.6f} {step.error:9.3g}  {node}"
        )


def print_result(subject: Subject, proof: Proof) -> None:
    guarantee = (subject.manifest or {}).get("guarantee", {})

    def claim(key: str) -> str:
        return f"; the manifest claims {guarantee[key]}" if key in guarantee else ""

    low, high = subject.range
    print(f"for inputs of {'x'.join(map(str, subject.shape))} values from {low:g} to {high:g}:")
    print(f"the vector of logits is {proof.lipschitz:.9f}-Lipschitz in l2{claim('constant')}")
    print(f"each logit is computed to within {proof.error:.3g}{claim('logit_error_bound')}")
    lost = radius_lost(proof, proof.error)
    print(f"rounding takes {margin_lost(proof.error):.3g} off each margin, {lost:.3g} off each radius")


def print_offer(subject: Subject, proof: Proof, offer: Float64Offer, certified: list[int], inputs: int) -> None:
    """Says what a rewrite to float64 would change."""
    if offer.error is None:
        print(f"rewrite-float64 cannot rewrite this network: {offer.reason}")
        return
    name = subject.model_path
    print(f"\nrun  certimix_models rewrite-float64 {name} {name.with_stem(name.stem + '-float64')}")
    print(f"  error bound  {proof.error:.3g} -> {offer.error:.3g}")
    print(f"  radius lost  {radius_lost(proof, proof.error):.3g} -> {radius_lost(proof, offer.error):.3g}")
    print("  cost         about 3 times the time of an inference")
    if certified:
        before, after = certified
        gain = f"{after / before - 1:+.0%}" if before else "there were none"
        print(f"  certificates {before} -> {after} of {inputs} inputs at most ({gain})")
    else:
        print("  certificates --inputs FILE.npy counts how many more inputs can have one")
