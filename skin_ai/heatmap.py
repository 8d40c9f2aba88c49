"""Feature map -> one map a type, in closed form."""

from __future__ import annotations

import torch
from torch import Tensor


def class_activation_maps(features: Tensor, weight: Tensor) -> Tensor:
    """Evidence for every type at every place, on the scale of the logit.

    features: (C, h, w), the last feature map; weight: (K, C), the linear head.
    Returns (K, h, w); summed over h and w it is the logit without its bias
    (Zhou et al. 2016, eq. 2; before its ReLU the same as Grad-CAM, Selvaraju et al. 2017, appendix A).
    """
    return torch.einsum("kc,chw->khw", weight, features) / features[0].numel()
