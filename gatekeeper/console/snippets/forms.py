"""Ideogram and Topaz, which take forms with the picture in them; Freepik's upscaler; and the gateway's own format."""

from collections.abc import Iterator

from gatekeeper.console.choices import INPUT_DEFAULT
from gatekeeper.console.snippets.wire import PICTURE_URL, PROMPT, Wanted, Wire, said
from gatekeeper.core.rejection import number_text


def write_ideogram(wanted: Wanted) -> Iterator[Wire]:
    """Ratios with an x between; an edit is a remix of a picture."""
    ratio = None if wanted.ratio is None else wanted.ratio.replace(":", "x")
    fields = said(prompt=PROMPT, aspect_ratio=ratio, rendering_speed=wanted.valid.quality)
    if wanted.outputs:
        fields["num_images"] = str(wanted.outputs)
    if wanted.is_edit:
        yield Wire("/v1/ideogram-v3/remix", fields, is_form=True)
    else:
        yield Wire("/v1/ideogram-v3/generate", fields, is_form=True, picture_field="")


def write_topaz(wanted: Wanted) -> Iterator[Wire]:
    """There is no factor, only the size that comes out."""
    given, scale = wanted.valid.input_pixels, wanted.valid.scale
    if given is None or scale is None:
        return
    width, height = (number_text(side * scale) for side in (given.width, given.height))
    fields = {"model": wanted.upstream_id, "output_width": width, "output_height": height}
    yield Wire("/image/v1/enhance/async", fields, is_form=True)


def write_freepik(wanted: Wanted) -> Iterator[Wire]:
    """A factor, and a picture by its address."""
    body = said(image=PICTURE_URL, scale_factor=wanted.scale)
    yield Wire(f"/v1/ai/{wanted.upstream_id}", body)


def write_native(wanted: Wanted) -> Iterator[Wire]:
    """Every setting under the name that it has in the catalog."""
    valid = wanted.valid
    given = valid.input_pixels or (INPUT_DEFAULT if valid.scale is not None else None)
    body = said(
        model=wanted.upstream_id,
        operation=valid.operation.value,
        prompt=None if valid.scale is not None else PROMPT,
        resolution=wanted.tier,
        aspect_ratio=wanted.ratio if wanted.capability.aspect_ratios else None,
        outputs=wanted.outputs,
        duration_s=wanted.seconds,
        audio=wanted.sound,
        quality=valid.quality,
        scale=wanted.scale,
        enhance_prompt=wanted.enhance,
        reference_images=valid.reference_images or None,
        input_video=True if valid.input_video else None,
        input=None if given is None else {"width": given.width, "height": given.height},
    )
    free = valid.size is not None and valid.size not in wanted.capability.by_pixels
    if free and valid.size != wanted.capability.size_default:
        body = {name: value for name, value in body.items() if name not in {"resolution", "aspect_ratio"}}
        body["size"] = str(valid.size)
    yield Wire("/v1/generations", body)
