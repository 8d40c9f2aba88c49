import copy
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import pytorch_grad_cam
import torch
from colour_model import SIDE, ColourModel
from drawn_samples import SAMPLES
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.image import scale_cam_image
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

from skin_ai.predict import heatmap
from skin_ai.predict.heatmap import GRAD_CAM, METHODS, HeatmapError, class_activation_maps, computed_by
from skin_ai.predict.photo import crop_square, read_photo

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


OTHERS = {
    "grad_cam": "GradCAM",
    "grad_cam_plus_plus": "GradCAMPlusPlus",
    "hires_cam": "HiResCAM",
    "layer_cam": "LayerCAM",
    "score_cam": "ScoreCAM",
}  # Eigen-CAM's map has no sign in the library


@pytest.fixture
def few_channels(monkeypatch):
    """Score-CAM with four passes instead of 64."""
    monkeypatch.setattr(heatmap, "SCORED", 4)


@pytest.fixture(scope="module")
def asked(bundle):
    """What each of three sessions asks about: inputs and the feature map as a diagnosis holds it."""
    asked = []
    for sample in SAMPLES[:3]:
        inputs = bundle.preprocessing(sample.draw())
        with torch.inference_mode():
            asked.append((inputs, bundle.image_model.feature_map(inputs)[0]))
    return asked


@pytest.mark.parametrize("method", OTHERS)
def test_other_methods_are_the_librarys(method):
    model = ColourModel()
    inputs = torch.rand((1, 3, SIDE, SIDE), generator=torch.Generator().manual_seed(7)) * 2 - 1
    found = computed_by(method, model, model.feature_map(inputs)[0], inputs, 0)
    own = copy.deepcopy(model).requires_grad_(True)
    cam = getattr(pytorch_grad_cam, OTHERS[method])(own, [own.seen])
    kept = []
    compute = cam.get_cam_image
    cam.get_cam_image = lambda *arguments: kept.append(compute(*arguments)) or kept[0]
    cam(inputs, [ClassifierOutputTarget(0)])
    expected = np.maximum(kept[0][0], 0)
    assert np.abs(found - expected / expected.max()).max() < TOLERANCE


@pytest.mark.parametrize("method", METHODS)
def test_every_method_gives_a_map_and_leaves_the_model_as_it_was(bundle, asked, few_channels, method):
    model, (inputs, features) = bundle.image_model, asked[0]
    with torch.inference_mode():
        before = model(inputs)
        found = computed_by(method, model, features, inputs, 2)  # also where gradients are off
        after = model(inputs)
    assert found.shape == features.shape[1:]
    assert (found.min(), found.max()) == (pytest.approx(0, abs=1), 1)
    assert torch.equal(before, after)
    assert not any(module._forward_hooks or module._backward_hooks for module in model.modules())
    assert not any(module.training for module in model.modules())
    assert not any(weight.requires_grad or weight.grad is not None for weight in model.parameters())


def test_hires_cam_shows_where_grad_cam_speaks_for_the_type(bundle, asked):
    inputs, features = asked[0]
    evidence = class_activation_maps(features, bundle.image_model.head.weight)[1].clamp_min(0).numpy()
    assert evidence.max() > 0
    found = computed_by("hires_cam", bundle.image_model, features, inputs, 1)
    assert np.abs(found - evidence / evidence.max()).max() < TOLERANCE


def test_eigen_cam_is_bright_where_the_network_is_active(bundle, asked):
    for inputs, features in asked:
        found = computed_by("eigen_cam", bundle.image_model, features, inputs, 0)
        active = features.sum(0).numpy()
        assert active[found > 0].mean() > active[found == 0].mean()


def test_sessions_at_once_get_the_same_maps_as_alone(bundle, asked, few_channels):
    questions = [
        (method, *asked[session], type_)
        for method in METHODS
        for session, type_ in ((0, 0), (1, 3), (2, 5), (0, 3))
    ]

    def answer(question):
        method, inputs, features, type_ = question
        return computed_by(method, bundle.image_model, features, inputs, type_)

    alone = [answer(question) for question in questions]
    assert len({map_.tobytes() for map_ in alone}) > len(METHODS)
    mixed = np.random.default_rng(4).permutation(len(questions) * 2) % len(questions)
    with ThreadPoolExecutor(4) as sessions:
        at_once = list(sessions.map(lambda index: answer(questions[index]), mixed))
    for index, map_ in zip(mixed, at_once, strict=True):
        assert np.array_equal(map_, alone[index]), questions[index][0]


def test_a_type_that_nothing_speaks_for_has_an_empty_map():
    model, green = ColourModel(), torch.zeros(1, 3, SIDE, SIDE)
    green[:, 1] = 1
    found = computed_by(GRAD_CAM, model, model.feature_map(green)[0], green, 0)
    assert found.shape == (SIDE // 8, SIDE // 8)
    assert not found.any()


def test_a_map_that_is_no_map_is_an_error(bundle, asked):
    inputs, features = asked[0]
    with pytest.raises(HeatmapError, match=r"Grad-CAM\+\+ gave no map"):
        computed_by("grad_cam_plus_plus", bundle.image_model, features * float("nan"), inputs, 0)
