"""Currencies of ISO 4217 and their minor units."""

from decimal import Decimal

_TWO_DECIMALS = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD "
    "CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS "
    "GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD "
    "LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB "
    "PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP "
    "SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW "
    "ZWG "
)
_NO_DECIMALS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF "
_THREE_DECIMALS = "BHD IQD JOD KWD LYD OMR TND "
_FOUR_DECIMALS = "CLF UYW "
# Withdrawn lately; past transactions still name them.
_WITHDRAWN = "ANG BGN CUC HRK MRO SLL STD VEF ZWL "

CURRENCIES: dict[str, int] = {
    **dict.fromkeys((_TWO_DECIMALS + _WITHDRAWN).split(), 2),
    **dict.fromkeys(_NO_DECIMALS.split(), 0),
    **dict.fromkeys(_THREE_DECIMALS.split(), 3),
    **dict.fromkeys(_FOUR_DECIMALS.split(), 4),
}
"""Alphabetic code -> number of decimals of its minor unit."""


def minor_units(amount: Decimal, currency: str) -> int:
    """`amount` (major units) in minor units, rounded half to even: 12.345 USD is 1234, 12 JPY is 12."""
    return round(amount.scaleb(CURRENCIES[currency]))


def major_units(minor: float, currency: str) -> float:
    """The inverse for display: 1234 US cents are 12.34."""
    return float(minor / 10 ** CURRENCIES[currency])
