"""`quote` and `models`: what can be asked for, and what it costs. No store, no team, no key is needed."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from fractions import Fraction
from typing import Annotated, Any

import orjson
import typer
from rich.table import Table

from gatekeeper.catalog import Catalog, load_catalog
from gatekeeper.cli.locate import find_settings
from gatekeeper.cli.options import ConfigOption, JsonOption
from gatekeeper.cli.show import plain, print_json
from gatekeeper.cli.tables import is_wide, new_table, terminal
from gatekeeper.core.lasting import durations_text
from gatekeeper.core.price import Quote
from gatekeeper.core.price import quote as price_of
from gatekeeper.core.rejection import Code, Rejected, Rejection, refuse
from gatekeeper.core.sizes import Pixels, read_size
from gatekeeper.core.spec import ModelSpec
from gatekeeper.dialects.facts import alternative_facts
from gatekeeper.dialects.native import read_body
from gatekeeper.proxy.admission import check_capability
from gatekeeper.proxy.native_routes import model_document, models_document
from gatekeeper.proxy.quoting import quote_document, refusal_document

ANY_PROMPT = "-"
"""A price does not depend on the prompt, but a request without one is incomplete."""


ModelName = Annotated[
    str, typer.Argument(metavar="MODEL", help="The model: id, alias or a provider's id.", show_default=False)
]
OneModel = Annotated[
    str, typer.Argument(metavar="MODEL", help="This one, by any of its names; all by default.", show_default=False)
]
OperationName = Annotated[str | None, typer.Option(metavar="NAME", help="Like image.edit.")]
Resolution = Annotated[str | None, typer.Option(metavar="TIER", help="Like 1K, 2K or 768P.")]
AspectRatio = Annotated[str | None, typer.Option(metavar="W:H", help="Like 16:9.")]
Size = Annotated[str | None, typer.Option(metavar="WxH", help="Like 1024x1536, or any other spelling of a size.")]
Outputs = Annotated[int | None, typer.Option(metavar="N", help="How many; 1 by default.")]
Duration = Annotated[str | None, typer.Option(metavar="S", help="Seconds of video, like 8, or auto.")]
Audio = Annotated[bool | None, typer.Option("--audio/--no-audio", help="Video with or without sound.")]
Scale = Annotated[str | None, typer.Option(metavar="N", help="How much larger, like 2x.")]
Quality = Annotated[str | None, typer.Option(metavar="WORD", help="Like high, where a model has qualities.")]
EnhancePrompt = Annotated[bool | None, typer.Option("--enhance-prompt", help="Have the prompt rewritten first.")]
ReferenceImages = Annotated[int | None, typer.Option(metavar="N", help="How many pictures go in beside the prompt.")]
InputVideo = Annotated[bool | None, typer.Option("--input-video", help="A video goes in too.")]
InputSize = Annotated[str | None, typer.Option("--input", metavar="WxH", help="Pixels of the image that goes in.")]
MaxCredits = Annotated[str | None, typer.Option(metavar="N", help="One output for at most this: 73.5.")]


def quote(  # noqa: PLR0913 - each argument is an option of the command
    *,
    model: ModelName,
    operation: OperationName = None,
    resolution: Resolution = None,
    aspect_ratio: AspectRatio = None,
    size: Size = None,
    outputs: Outputs = None,
    duration: Duration = None,
    audio: Audio = None,
    scale: Scale = None,
    quality: Quality = None,
    enhance_prompt: EnhancePrompt = None,
    reference_images: ReferenceImages = None,
    input_video: InputVideo = None,
    input_size: InputSize = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what a generation costs, line by line, or what is wrong with it and what would do instead.

    Exit code 1 if it could not be asked for like this.
    """
    said = {
        "model": model,
        "operation": operation,
        "prompt": ANY_PROMPT,
        "resolution": resolution,
        "aspect_ratio": aspect_ratio,
        "size": size,
        "outputs": outputs,
        "duration_s": duration,
        "audio": audio,
        "scale": scale,
        "quality": quality,
        "enhance_prompt": enhance_prompt,
        "reference_images": reference_images,
        "input_video": input_video,
        "input": _rectangle(input_size),
    }
    settings = find_settings(config)
    spec = _named(load_catalog(settings.catalog_files()), model)
    patterns = tuple(pattern for provider in settings.providers.values() for pattern in provider.models)
    unsold = _unsold(spec, patterns)
    try:
        asked = read_body([orjson.dumps({name: value for name, value in said.items() if value is not None})])
        priced = price_of(spec, check_capability(spec, asked))
    except Rejected as refused:
        _print_refusal(spec, refused, as_json)
        raise typer.Exit(1) from None
    _print_quote(spec, priced, unsold, as_json)
    if unsold is not None:
        raise typer.Exit(1)


def _rectangle(text: str | None) -> dict[str, int] | None:
    if text is None:
        return None
    pixels = read_size(text)
    if not isinstance(pixels, Pixels):
        raise typer.BadParameter(f"{text!r} is no size in pixels; write it like 1024x768", param_hint="--input")
    return {"width": pixels.width, "height": pixels.height}


def _named(catalog: Catalog, name: str) -> ModelSpec:
    model = catalog.find(name) or catalog.find_upstream(name)
    if model is None:
        near = catalog.suggest(name)
        hint = f"Near: {', '.join(near)}." if near else "`gatekeeper models` lists all."
        raise refuse(Code.MODEL_NOT_FOUND, f"No model {name!r} in the catalog. {hint}")
    return model


def _unsold(model: ModelSpec, patterns: Sequence[str]) -> Code | None:
    """Why nobody would take a request for it, as `POST /v1/quotes` says it; None if somebody would: a provider that
    has an offer in force, or takes the catalog's ids by its `patterns`."""
    if model.sold_at or any(fnmatchcase(model.id, pattern) for pattern in patterns):
        return None
    return Code.MODEL_RETIRED if model.offers else Code.MODEL_NOT_FOUND


def _print_quote(model: ModelSpec, priced: Quote, unsold: Code | None, as_json: bool) -> None:
    document = {
        "model": model.id,
        **quote_document(priced),
        "violations": [],
        "admissible": unsold is None,
        "codes": [] if unsold is None else [unsold.value],
        "alternatives": [],
    }
    if as_json:
        print_json(document)
        return
    shown = plain(document)
    table = new_table("Item", "Credits each", "Times", "Credits", right=("Credits each", "Times", "Credits"))
    for line in shown["lines"]:
        table.add_row(line["item"], str(line["unit_credits"]), str(line["times"]), str(line["credits"]))
    table.add_section()
    table.add_row("at most" if priced.upper_bound else "in all", "", "", str(shown["credits"]), style="bold")
    out = terminal()
    out.print(f"{model.name} ({model.id})", style="bold")
    out.print(table)
    out.print(f"Price list {priced.price_list.id}, dated {priced.price_list.effective_at:%Y-%m-%d}.")
    for offer in plain(model_document(model))["offers"]:
        if offer["status"] != "active":
            out.print(f"Mind: {_offer(offer)}")
    if unsold is not None:
        why = "it is retired everywhere" if unsold is Code.MODEL_RETIRED else "no provider sells it"
        out.print(f"It cannot be asked for: {why}.")


def _print_refusal(model: ModelSpec, refused: Rejected, as_json: bool) -> None:
    """A refusal that is about the settings; any other is told like every failure."""
    rejection = refused.rejection
    if not rejection.violations:
        raise refused
    if as_json:
        print_json(refusal_document(model.id, rejection))
        return
    out = terminal()
    out.print(f"{model.name} does not do this:", style="bold")
    out.print(_violations_table(rejection))
    if rejection.alternatives:
        out.print("It does, cheapest first:", style="bold")
        out.print(_alternatives_table(rejection))


def _violations_table(rejection: Rejection) -> Table:
    table = new_table("Setting", "Asked", "Allowed", "Nearest")
    for wrong in rejection.violations:
        table.add_row(wrong.field, wrong.requested, ", ".join(wrong.supported) or "not at all", wrong.nearest or "")
    return table


def _alternatives_table(rejection: Rejection) -> Table:
    """Only the columns in which an alternative says something."""
    rows = plain([alternative_facts(alternative) for alternative in rejection.alternatives])
    names = [
        name
        for name in ("resolution", "aspect_ratio", "size", "scale", "quality", "duration_s", "audio", "outputs")
        if any(name in r for r in rows)
    ]
    table = new_table(
        *(name.removesuffix("_s").replace("_", " ").capitalize() for name in names), "Credits", right=("Credits",)
    )
    for row in rows:
        table.add_row(*(_label(name, row[name]) if name in row else "" for name in names), str(row["credits"]))
    return table


def models(
    model: OneModel = "",
    *,
    operation: OperationName = None,
    resolution: Resolution = None,
    aspect_ratio: AspectRatio = None,
    max_credits: MaxCredits = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the catalog: what each model can do, what one output costs, who offers it and for how long."""
    asked = {
        "operation": operation,
        "resolution": resolution,
        "aspect_ratio": aspect_ratio,
        "max_credits": max_credits,
    }
    catalog = load_catalog(find_settings(config).catalog_files())
    document = models_document(catalog, {name: value for name, value in asked.items() if value is not None})
    if model:
        named = _named(catalog, model).id
        document = document | {"models": [each for each in document["models"] if each["id"] == named]}
    if as_json:
        print_json(document)
    elif document["models"]:
        terminal().print(_models_table(plain(document)["models"]))
    else:
        print("No model matches.")


def _models_table(found: list[dict[str, Any]]) -> Table:
    """A row for each of a model's capabilities. In a narrow window related facts share a column."""
    wide = is_wide()
    columns = ("Id", "Name", "Operations", "Resolutions", "Aspect ratios", "Credits", "Offers")
    narrow = ("Model", "Operations and sizes", "Credits", "Offers")
    table = new_table(*columns, whole=("Id", "Name")) if wide else new_table(*narrow, whole=("Model",))
    for model in found:
        for index, capability in enumerate(model["capabilities"]):
            first = index == 0
            names = (model["id"], model["name"]) if first else ("", "")
            operations = _lines((*capability["operations"], _length_and_sound(capability)))
            does = (operations, " ".join(capability["resolutions"]), _sizes(capability))
            costs, offers = _prices(capability), "\n".join(map(_offer, model["offers"])) if first else ""
            cells = (*names, *does, costs, offers) if wide else (_lines(names), _lines(does), costs, offers)
            table.add_row(*cells)
        table.add_section()
    return table


def _lines(words: tuple[str, ...]) -> str:
    return "\n".join(dict.fromkeys(filter(None, words)))


def _sizes(capability: dict[str, Any]) -> str:
    """Ratios, or what stands in for them."""
    return " ".join(capability["aspect_ratios"]) or _lines((*capability["free_sizes"], " ".join(capability["sizes"])))


def _length_and_sound(capability: dict[str, Any]) -> str:
    """How long a video may last, and whether it has sound; nothing for a picture."""
    if not capability["durations"]:
        return ""
    lengths = ", ".join(durations_text([Fraction(seconds) for seconds in capability["durations"]]))
    return f"{lengths} s\naudio {capability['audio']}"


def _prices(capability: dict[str, Any]) -> str:
    return "\n".join(
        " ".join([*(_label(name, value) for name, value in price.items() if name != "credits"), str(price["credits"])])
        for price in capability["prices"]
    )


def _label(name: str, value: Any) -> str:
    """A choice that has a price of its own, in a word."""
    match name:
        case "duration_s":
            return f"{value} s"
        case "audio":
            return "audio" if value else "silent"
        case _:
            return str(value)


def _offer(offer: dict[str, Any]) -> str:
    """Who sells it under which id; what is not active says so, and what to move to."""
    words = f"{offer['provider']} {offer['upstream_id']}"
    if offer["operations"]:
        words += f" for {', '.join(offer['operations'])}"
    if offer["status"] == "active":
        return words
    day = f" {offer['sunset']}" if offer["sunset"] else ""
    return f"{words} ({offer['status']}{day}, use {offer['replacement']})"
