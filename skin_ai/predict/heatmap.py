"""Feature map -> one map a type, in closed form; the grad-cam library's other methods, on demand."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from skin_ai.predict.image_model import ImageModel

GRAD_CAM = "grad_cam"
METHODS: Mapping[str, str] = {
    GRAD_CAM: "Grad-CAM",
    "grad_cam_plus_plus": "Grad-CAM++",
    "hires_cam": "HiResCAM",
    "layer_cam": "Layer-CAM",
    "score_cam": "Score-CAM",
    "eigen_cam": "Eigen-CAM",
}  # by key: the name for reading; only the first is on the scale of the logit
SCORED = 64  # channels that Score-CAM tries out, the most variable ones: all 1,280 take 20 times as long
BATCH = 16

# One at a time, however many sessions ask: Score-CAM alone keeps the processor busy for about a second.
_one_at_a_time = Lock()


class HeatmapError(RuntimeError):
    """A map that cannot be computed; the message says why."""


def class_activation_maps(features: Tensor, weight: Tensor) -> Tensor:
    """Evidence for every type at every place, on the scale of the logit.

    features: (C, h, w), the last feature map; weight: (K, C), the linear head.
    Returns (K, h, w); summed over h and w it is the logit without its bias
    (Zhou et al. 2016, eq. 2; before its ReLU the same as Grad-CAM, Selvaraju et al. 2017, appendix A).
    """
    return torch.einsum("kc,chw->khw", weight, features) / features[0].numel()


def computed_by(
    method: str, model: ImageModel, features: Tensor, inputs: Tensor, type_index: int
) -> np.ndarray:
    """(h, w) map of one type by a key of METHODS: what speaks for it, relative to the strongest place.

    features: (C, h, w), the last feature map as the diagnosis holds it, mean of all views; inputs:
    (1, 3, size, size), the same photo. From 0 to 1, and 0 everywhere where nothing speaks for the type: such
    a map tells places apart, but neither types nor photos. The model is left as it was. Raises HeatmapError.
    """
    with _one_at_a_time, torch.inference_mode(False), torch.enable_grad():
        # Copies: what was made in inference mode takes part in no gradient.
        features, inputs = features.clone(), inputs.clone()
        if method == "score_cam":
            evidence = _library_map(method, _Scored(model, features), inputs, type_index)
        else:
            evidence = _library_map(method, _Tail(model.head), features[None].requires_grad_(), type_index)
    if method == "eigen_cam":
        # A principal component has no sign: ours is bright where the network is active.
        evidence = evidence * np.sign((evidence * features.detach().sum(0).numpy()).sum())
    evidence = np.maximum(evidence, 0)
    return evidence / evidence.max() if evidence.max() > 0 else evidence


class _Tail(nn.Module):
    """The network from its last feature map on, in a copy that no other session sees.

    Gradients at the last feature map need no more of it, so the shared network gets neither hooks nor
    gradients.
    """

    def __init__(self, head: nn.Linear) -> None:
        super().__init__()
        self.seen = nn.Identity()  # where the library hangs its hooks
        self.head = copy.deepcopy(head).requires_grad_(False)

    def forward(self, features: Tensor) -> Tensor:
        return self.head(self.seen(features).mean(dim=(2, 3)))


class _Scored(nn.Module):
    """The whole network; the library sees only the channels that differ most from place to place."""

    def __init__(self, model: ImageModel, features: Tensor) -> None:
        super().__init__()
        self.seen = nn.Identity()
        self.model = model
        self.channels = features.flatten(1).var(1).topk(min(SCORED, len(features))).indices

    def forward(self, inputs: Tensor) -> Tensor:
        with torch.no_grad():
            features = self.model.feature_map(inputs)
            self.seen(features[:, self.channels])
            return self.model.logits(features)


def _library_map(method: str, network: _Tail | _Scored, inputs: Tensor, type_index: int) -> np.ndarray:
    """The library's map as it is before its ReLU, scaling and enlarging."""
    try:
        # Here: it brings OpenCV and Matplotlib, which no page must wait for.
        import pytorch_grad_cam as library
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
    except ImportError as error:  # OpenCV needs libraries of the system
        raise HeatmapError(f"The grad-cam library cannot be loaded: {error}.") from error
    classes = {
        GRAD_CAM: library.GradCAM,
        "grad_cam_plus_plus": library.GradCAMPlusPlus,
        "hires_cam": library.HiResCAM,
        "layer_cam": library.LayerCAM,
        "score_cam": library.ScoreCAM,
        "eigen_cam": library.EigenCAM,
    }
    # Not as a context manager: as such it swallows an IndexError.
    cam = classes[method](network, [network.seen])
    cam.batch_size = BATCH
    kept: list[np.ndarray] = []
    compute = cam.get_cam_image

    def keep(*arguments: Any, **options: Any) -> np.ndarray:
        kept.append(compute(*arguments, **options))
        return kept[0]

    cam.get_cam_image = keep
    cam(inputs, [ClassifierOutputTarget(type_index)])
    cam.activations_and_grads.release()
    if len(kept) != 1 or not np.isfinite(kept[0]).all():
        raise HeatmapError(f"{METHODS[method]} gave no map for this photo.")
    return np.asarray(kept[0][0], dtype=np.float32)
