"""What every kind of price in a catalog file may say beside its own rule: a minimum, and what comes on top."""

from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from gatekeeper.catalog.fields import Amount, Strict
from gatekeeper.core.rules import AddOnTrigger, Per
from gatekeeper.yamlfile import mistake

FREE_IMAGES_MAX = 100
"""No model takes as many pictures."""


class AddOnEntry(Strict):
    """An amount on top while a setting is on: of every output, or once for the request."""

    when: Annotated[AddOnTrigger, Field(strict=False)]
    credits: Amount
    per: Annotated[Per, Field(strict=False)] = Per.OUTPUT
    free: Annotated[int, Field(ge=0, le=FREE_IMAGES_MAX)] = 0

    @field_validator("free")
    @classmethod
    def _check_free(cls, value: int, info: ValidationInfo) -> int:
        when = info.data.get("when", AddOnTrigger.EACH_INPUT_IMAGE)
        if value and when is not AddOnTrigger.EACH_INPUT_IMAGE:
            raise mistake(f"`{when}` is not counted, so none is free", "Use it with each_input_image, or remove it.")
        return value


class PriceEntryBase(Strict):
    """The keys that every kind has."""

    minimum: Amount = 0
    add_ons: list[AddOnEntry] = Field(default_factory=list)
