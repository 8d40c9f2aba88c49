"""The model card of a bundle, drawn from its manifest."""

from skin_ai.model_card.card import as_markdown as as_markdown
from skin_ai.model_card.card import data_sources as data_sources
from skin_ai.model_card.card import sections as sections
from skin_ai.model_card.card import types_of as types_of
