"""Heatmaps: Grad-CAM of every type in closed form; the grad-cam library's other methods on demand."""

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
}  # key -> name on screen; only the first is on the scale of the logit
_LIBRARY_CLASSES: Mapping[str, str] = {
    GRAD_CAM: "GradCAM",
    "grad_cam_plus_plus": "GradCAMPlusPlus",
    "hires_cam": "HiResCAM",
    "layer_cam": "LayerCAM",
    "score_cam": "ScoreCAM",
    "eigen_cam": "EigenCAM",
}
SCORED = 64  # channels that Score-CAM masks, the most variable ones: all 1,280 take 20 times as long
BATCH = 16

# One at a time across all sessions: Score-CAM alone keeps the processor busy for about a second.
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
    """(h, w) evidence for one type by a key of METHODS, from 0 to 1, relative to its strongest place.

    features: (C, h, w), the last feature map of the diagnosis, mean of all views; inputs: (1, 3, size, size),
    the same photo. Compares places within one map, not types or photos; all 0 without evidence for the type.
    Leaves the model unchanged. Raises HeatmapError.
    """
    with _one_at_a_time, torch.inference_mode(False), torch.enable_grad():
        # Copies, because tensors made in inference mode cannot take part in gradients.
        features, inputs = features.clone(), inputs.clone()
        if method == "score_cam":
            evidence = library_map(method, _FewerChannels(model, features), inputs, type_index)
        else:
            evidence = library_map(method, HeadOnly(model.head), features[None].requires_grad_(), type_index)
    if method == "eigen_cam":
        # The sign of a principal component is arbitrary: bright is where the network is active.
        evidence = evidence * np.sign((evidence * features.detach().sum(0).numpy()).sum())
    evidence = np.maximum(evidence, 0)
    return evidence / evidence.max() if evidence.max() > 0 else evidence


class HeadOnly(nn.Module):
    """The network from its last feature map on, as a copy.

    Gradients at the last feature map need nothing else, so the network that sessions share gets neither hooks
    nor gradients.
    """

    def __init__(self, head: nn.Linear) -> None:
        super().__init__()
        self.seen = nn.Identity()  # the library's hooks go here
        self.head = copy.deepcopy(head).requires_grad_(False)

    def forward(self, features: Tensor) -> Tensor:
        return self.head(self.seen(features).mean(dim=(2, 3)))


class _FewerChannels(nn.Module):
    """The whole network; the library sees only the channels that vary most over the photo."""

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


def library_map(
    method: str, network: nn.Module, inputs: Tensor, type_index: int, layer: nn.Module | None = None
) -> np.ndarray:
    """(h, w) map of the grad-cam library before its ReLU, scaling and enlarging.

    layer: where the map is taken, by default `network.seen`.
    """
    try:
        # Imported here because it brings OpenCV and Matplotlib, for which no page should wait.
        import pytorch_grad_cam as library
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
    except ImportError as error:  # OpenCV needs libraries of the system
        raise HeatmapError(f"The grad-cam library cannot be loaded: {error}.") from error
    # Not as a context manager: that would hide an IndexError.
    cam = getattr(library, _LIBRARY_CLASSES[method])(network, [network.seen if layer is None else layer])
    cam.batch_size = BATCH
    unscaled: list[np.ndarray] = []
    compute = cam.get_cam_image

    def keep(*arguments: Any, **options: Any) -> np.ndarray:
        unscaled.append(compute(*arguments, **options))
        return unscaled[0]

    cam.get_cam_image = keep
    cam(inputs, [ClassifierOutputTarget(type_index)])
    cam.activations_and_grads.release()
    if len(unscaled) != 1 or not np.isfinite(unscaled[0]).all():
        raise HeatmapError(f"{METHODS[method]} gave no map for this photo.")
    return np.asarray(unscaled[0][0], dtype=np.float32)
