import io

import numpy as np
import pytest
from PIL import Image

from tune_robust.data import decoding as module
from tune_robust.data.decoding import decode_images, fitted
from tune_robust.errors import UserError


def encode(image, kind="PNG"):
    stream = io.BytesIO()
    image.save(stream, kind)
    return stream.getvalue()


def picture(mode, size=(5, 4)):
    array = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(array).convert(mode)


def decode(*encoded, **settings):
    return decode_images(encoded, [f"place {k}" for k in range(len(encoded))], **settings)


def test_colour_images_keep_their_pixels():
    image = picture("RGB")
    pixels = decode(encode(image))
    assert pixels.shape == (1, 3, 4, 5)
    assert (pixels[0].transpose(1, 2, 0) == np.asarray(image)).all()


def test_gray_images_have_one_channel():
    image = picture("L")
    pixels = decode(encode(image), encode(image))
    assert pixels.shape == (2, 1, 4, 5)
    assert (pixels[1, 0] == np.asarray(image)).all()


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_colour_image_among_gray_ones_becomes_gray(mode, caplog):
    gray, colour = picture("L"), picture(mode)
    pixels = decode(encode(gray), encode(colour), encode(gray))
    assert pixels.shape == (3, 1, 4, 5)
    assert (pixels[1, 0] == np.asarray(colour.convert("RGB").convert("L"))).all()
    assert "1 of 3 images is colour, the first one place 1" in caplog.text


def test_gray_images_among_colour_ones_are_said_once(caplog):
    decode(*[encode(picture("RGB"))] * 3, *[encode(picture("L"))] * 2)
    (said,) = caplog.messages
    assert "2 of 5 images are grayscale, the first one place 3" in said


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_a_dropped_alpha_channel_is_said_once(mode, caplog):
    decode(*[encode(picture(mode))] * 600)
    (said,) = caplog.messages
    assert "600 of 600 images have an alpha channel, the first one place 0: it is dropped" in said
    caplog.clear()
    decode(encode(picture("RGB")), encode(picture("L")), encode(picture("RGB")))
    assert "alpha" not in caplog.text


def test_a_gray_image_among_colour_fills_all_channels():
    gray = picture("L")
    pixels = decode(encode(gray), encode(picture("RGB")))
    assert pixels.shape == (2, 3, 4, 5)
    assert (pixels[0] == np.asarray(gray)).all()


@pytest.mark.parametrize(("mode", "channels"), [("1", 1), ("LA", 1), ("P", 3), ("RGBA", 3)])
def test_other_kinds_become_gray_or_colour(mode, channels):
    assert decode(encode(picture(mode))).shape == (1, channels, 4, 5)


def test_many_images_come_in_order():
    images = [Image.new("L", (2, 2), k % 256) for k in range(600)]
    pixels = decode(*(encode(image) for image in images))
    assert pixels[:, 0, 0, 0].tolist() == [k % 256 for k in range(600)]


@pytest.mark.parametrize("damage", [b"", b"no image", encode(picture("RGB"))[:60]])
def test_a_damaged_image_is_named(damage):
    with pytest.raises(UserError, match="place 1: the image cannot be decoded"):
        decode(encode(picture("RGB")), damage)


def test_another_size_is_named():
    images = encode(picture("RGB")), encode(picture("RGB", (6, 4)))
    found = r"place 1: the image has 6x4 pixels, .*place 0\) 5x4.*set data\.image_size, such as 4,"
    with pytest.raises(UserError, match=found):
        decode(*images)
    assert decode(*images, image_size=4).shape == (2, 3, 4, 4)


def test_the_middle_of_the_scaled_image_is_kept():
    image = Image.new("RGB", (60, 20), "red")
    image.paste("blue", (20, 0, 40, 20))
    pixels = decode(encode(image), image_size=10)[0].transpose(1, 2, 0)
    assert pixels.shape == (10, 10, 3)
    assert (pixels[:, 2:8] == (0, 0, 255)).all()
    assert (pixels[..., 2] > 200).all()


def test_arrays_are_fitted_as_encoded_images_are():
    image = picture("RGB", (40, 30))
    expected = decode(encode(image), image_size=16)
    array = np.asarray(image).transpose(2, 0, 1)[None]
    assert (fitted(array, 16) == expected).all()
    assert fitted(expected, 16) is expected


@pytest.mark.parametrize("worth", [0, 10**9])
def test_threads_change_nothing(monkeypatch, worth):
    monkeypatch.setattr(module, "_BYTES_WORTH_A_THREAD", worth)
    monkeypatch.setattr(module, "_CHUNK", 7)
    images = [Image.new("L", (2, 2), k) for k in range(100)]
    assert decode(*(encode(image) for image in images))[:, 0, 0, 0].tolist() == list(range(100))
    with pytest.raises(UserError, match="place 50"):
        decode(*(encode(image) if k != 50 else b"" for k, image in enumerate(images)))


def test_deep_pixels_are_refused():
    deep = Image.fromarray(np.full((4, 5), 4000, np.uint16))
    with pytest.raises(UserError, match=r"place 0: .* mode I;16"):
        decode(encode(deep))
