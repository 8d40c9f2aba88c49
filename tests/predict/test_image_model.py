import numpy as np
import pytest
import torch
from torch import nn

from skin_ai.predict.batch_norm import folded
from skin_ai.predict.heatmap import class_activation_maps
from skin_ai.predict.image_model import ImageModel, Preprocessing

# Backbone and the side of its input in pixels; a ViT knows one size only.
BACKBONES = (
    ("resnet50", 96),
    ("efficientnet_b0", 96),
    ("vgg16", 64),
    ("vit_base_patch16_224", 224),
    ("mobilenetv2_100", 96),
    ("tf_efficientnet_lite0", 96),
    ("tf_efficientnet_lite2", 96),
)
MIRROR, UPSIDE_DOWN, TRANSPOSE = ({"dims": (3,)}, {"dims": (2,)}, None)


@pytest.fixture(scope="module")
def photo():
    return torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(3)) * 2 - 1


def turned(images, turn):
    return images.transpose(2, 3) if turn is TRANSPOSE else torch.flip(images, **turn)


@pytest.mark.parametrize(("backbone", "side"), BACKBONES)
def test_every_backbone_has_exact_maps_and_nothing_unused(backbone, side):
    torch.manual_seed(0)
    model = ImageModel(backbone, 6).eval()
    inputs = torch.randn(2, 3, side, side)
    features = model.feature_map(inputs).detach().requires_grad_()
    logits = model.logits(features)
    assert logits.shape == (2, 6)
    assert torch.allclose(logits, model(inputs), atol=1e-5)
    maps = class_activation_maps(features[0], model.head.weight)
    for index in range(6):
        # Grad-CAM by its definition (Selvaraju et al. 2017, eq. 1 and 2, before the ReLU).
        gradient = torch.autograd.grad(logits[0, index], features, retain_graph=True)[0][0]
        by_definition = (gradient.mean((1, 2))[:, None, None] * features[0]).sum(0)
        assert torch.allclose(maps[index], by_definition, atol=1e-5)
    assert torch.allclose(maps.sum((1, 2)) + model.head.bias, logits[0], atol=1e-4)
    model(inputs).sum().backward()
    unused = [name for name, value in model.named_parameters() if value.grad is None]
    assert not unused


@pytest.mark.parametrize(("backbone", "side"), BACKBONES)
def test_folded_normalization_changes_no_map(backbone, side):
    torch.manual_seed(0)
    model = ImageModel(backbone, 6)
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.running_mean.normal_(0, 0.1)
        norm.running_var.uniform_(0.5, 2)
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.normal_(norm.bias, 0, 0.1)
    model = model.eval().requires_grad_(False)
    quick = folded(model, side)
    assert not [module for module in quick.modules() if isinstance(module, nn.BatchNorm2d)]
    assert (quick is model) is not bool(norms)
    inputs = torch.randn(2, 3, side, side)
    maps = model.feature_map(inputs)
    assert torch.allclose(quick.feature_map(inputs), maps, atol=1e-4 * maps.abs().max().item())


def test_normalization_that_cannot_be_folded_stays():
    """A convolution used twice cannot hold the scales of two normalizations."""
    torch.manual_seed(0)
    model = ImageModel("mobilenetv2_050", 6)

    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.convolution = nn.Conv2d(3, 3, 3, padding=1)
            self.first, self.second = nn.BatchNorm2d(3), nn.BatchNorm2d(3)

        def forward_features(self, inputs):
            return self.second(self.convolution(self.first(self.convolution(inputs))))

    model.backbone = Twice()
    model.backbone.first.running_mean.fill_(1.0)
    model.backbone.second.running_var.fill_(4.0)
    model = model.eval().requires_grad_(False)
    assert folded(model, 32) is model


def test_logit_of_the_mean_map_is_the_mean_of_the_views(bundle, photo):
    model = bundle.image_model
    with torch.inference_mode():
        together = model.logits(model.feature_map_of_views(photo, 2))
        apart = (model(photo) + model(turned(photo, MIRROR))) / 2
    assert torch.allclose(together, apart, atol=1e-4)


def test_one_view_is_the_photo_as_it_is(bundle, photo):
    with torch.inference_mode():
        one = bundle.image_model.feature_map_of_views(photo, 1)
        assert torch.equal(one, bundle.image_model.feature_map(photo))


@pytest.mark.parametrize(
    "turn", (MIRROR, UPSIDE_DOWN, TRANSPOSE), ids=("mirrored", "upside down", "transposed")
)
def test_turned_photo_gives_the_turned_map_with_all_eight_views(bundle, photo, turn):
    with torch.inference_mode():
        upright = bundle.image_model.feature_map_of_views(photo, 8)
        found = bundle.image_model.feature_map_of_views(turned(photo, turn), 8)
    assert (found - turned(upright, turn)).abs().max() < 1e-4 * upright.abs().max()
    assert (found - upright).abs().max() > 1e-2 * upright.abs().max()  # a constant map would pass the first


def test_preprocessing_puts_pixels_on_the_scale_of_the_network():
    preprocessing = Preprocessing(size=32, mean=(0.5, 0.25, 0.0), std=(0.5, 0.25, 1.0))
    inputs = preprocessing(np.full((100, 100, 3), 255, np.uint8))
    assert inputs.shape == (1, 3, 32, 32)
    assert inputs.dtype == torch.float32
    assert inputs[0, :, 5, 5].tolist() == [1.0, 3.0, 1.0]


def test_shrinking_averages_fine_patterns_away():
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 255
    small = Preprocessing(size=32).resize(stripes)
    assert small[4:-4, 4:-4].min() > 100
    assert small[4:-4, 4:-4].max() < 155
