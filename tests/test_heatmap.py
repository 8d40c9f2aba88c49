import numpy as np
import pytest
import torch
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.image import scale_cam_image
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

from skin_ai.heatmap import class_activation_maps
from skin_ai.photo import crop_square, read_photo

TOLERANCE = 1e-4  # of the strongest evidence


class UnscaledGradCAM(GradCAM):
    """Keeps the library's map as it is before ReLU, scaling and enlarging."""

    def get_cam_image(self, *arguments, **options):
        self.unscaled = super().get_cam_image(*arguments, **options)
        return self.unscaled


@pytest.fixture(scope="module")
def inputs(bundle, drawn_photo):
    return bundle.preprocessing(crop_square(read_photo(drawn_photo)))


@pytest.fixture(scope="module")
def maps(bundle, inputs):
    features = bundle.image_model.feature_map(inputs)[0]
    return class_activation_maps(features, bundle.image_model.head.weight)


@pytest.fixture(scope="module")
def library(bundle, inputs):
    """Type's index -> the library's map before and after ReLU and scaling."""
    found = {}
    # The bundle's weights are frozen: gradients flow because the input asks for them.
    asking = inputs.clone().requires_grad_()
    with UnscaledGradCAM(bundle.image_model, [bundle.image_model.backbone.bn2]) as cam:
        for index in range(len(bundle.types)):
            scaled = cam(asking, [ClassifierOutputTarget(index)])[0]
            found[index] = (cam.unscaled[0], scaled)
    return found


def test_maps_equal_grad_cam_before_relu(maps, library):
    assert len(library) == len(maps)
    for index, (unscaled, _) in library.items():
        assert unscaled.shape == maps[index].shape
        assert np.abs(unscaled - maps[index].numpy()).max() < TOLERANCE * np.abs(unscaled).max()


def test_maps_equal_grad_cam_as_the_library_shows_it(maps, library, inputs):
    size = tuple(inputs.shape[-2:])
    for index, (_, scaled) in library.items():
        enlarged = scale_cam_image(maps[index : index + 1].clamp_min(0).numpy(), size)
        ours = scale_cam_image(enlarged)[0]  # the library scales once more, over its target layers
        assert scaled.shape == ours.shape
        assert np.abs(scaled - ours).max() < TOLERANCE


def test_maps_sum_to_the_logits_without_bias(bundle, inputs, maps):
    logits = bundle.image_model(inputs)[0]
    assert torch.allclose(maps.sum((1, 2)) + bundle.image_model.head.bias, logits, atol=1e-4)


def test_all_types_at_once_equal_one_type_at_a_time():
    features, weight = torch.randn(5, 3, 4), torch.randn(6, 5)
    together = class_activation_maps(features, weight)
    assert together.shape == (6, 3, 4)
    for index in range(6):
        alone = class_activation_maps(features, weight[index : index + 1])[0]
        assert torch.allclose(together[index], alone, atol=1e-6)


def test_evidence_lies_where_the_feature_is():
    features, weight = torch.zeros(2, 2, 2), torch.tensor([[4.0, -8.0]])
    features[0, 0, 1], features[1, 1, 0] = 1, 1
    assert class_activation_maps(features, weight)[0].tolist() == [[0, 1], [-2, 0]]
