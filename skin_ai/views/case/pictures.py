"""Photos on a page, embedded in the page itself."""

import base64
from io import BytesIO

import numpy as np
import streamlit as st
from PIL import Image

from skin_ai.predict.photo import Crop, crop_square

SHOWN_SIDE = 720  # pixels of the longer side: sharp at the widest place that a page gives a photo
FRAME = (36, 133, 143)  # the accent colour
OUTSIDE = 0.4  # how much light is left outside the frame


def as_uri(pixels: np.ndarray, side: int = SHOWN_SIDE) -> str:
    """(h, w, 3) pixels as a data URI.

    Anything else st.image would store at an address that every session can open and that the browser may
    cache on its disk.
    """
    file = BytesIO()
    Image.fromarray(smaller(pixels, side)).save(file, "JPEG", quality=90)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def show(uri: str, caption: str, alt: str) -> None:
    st.image(uri, caption=caption, alt=alt, width="stretch")


def smaller(pixels: np.ndarray, side: int = SHOWN_SIDE) -> np.ndarray:
    """The photo with its longer side at most `side` pixels."""
    image = Image.fromarray(pixels)
    image.thumbnail((side, side))
    return np.asarray(image)


def framed(pixels: np.ndarray, crop: Crop) -> np.ndarray:
    """A small copy of the photo, darkened outside the square that the model sees."""
    photo = smaller(pixels)
    # The pixels' coordinates are cropped, so that one function alone decides where the square lies.
    places = crop_square(np.moveaxis(np.indices(photo.shape[:2]), 0, -1), crop)
    (top, left), (bottom, right) = places[0, 0], places[-1, -1]
    shown = (photo * OUTSIDE).astype(np.uint8)
    line = max(2, round(max(photo.shape) / 160))
    shown[top : bottom + 1, left : right + 1] = FRAME
    inner = (slice(top + line, bottom + 1 - line), slice(left + line, right + 1 - line))
    shown[inner] = photo[inner]
    return shown
