"""The models and how each is trained, in one line: for `--help` and for the manifests."""

_SMOOTHED = "trained on Gaussian noise with consistency regularisation (Jeong and Shin 2020)"

MODEL_SUMMARIES = {
    "standard": "trained for accuracy",
    "smoothed-025": _SMOOTHED,
    "smoothed-050": _SMOOTHED,
    "smoothed-tiny": _SMOOTHED,
    "adversarial": "adversarially trained in l-infinity at 8/255, one gradient step (N-FGSM, de Jorge et al. 2022)",
    "lipschitz": "1-Lipschitz in l2 by construction (orthogonal convolutions, MaxMin)",
    "lipschitz-deep": "1-Lipschitz in l2 by construction (orthogonal convolutions, MaxMin), two convolutions more",
}
