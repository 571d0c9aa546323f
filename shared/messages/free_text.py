"""What people write about alerts and labels: names and notes, never with a card number in them."""

from typing import Annotated

from pydantic import AfterValidator, StringConstraints
from pydantic_core import PydanticCustomError

from shared.domain.card_data import has_card_number


def _without_card_number(text: str) -> str:
    if has_card_number(text):
        raise PydanticCustomError("card_data", "Card numbers are never accepted; write the account id instead")
    return text


Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, pattern=r"^[^\x00-\x1f\x7f]{1,64}$"),
    AfterValidator(_without_card_number),
]
Note = Annotated[
    str, StringConstraints(max_length=2000, pattern=r"^[^\x00]*$"), AfterValidator(_without_card_number)
]
