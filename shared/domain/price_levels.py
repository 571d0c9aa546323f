"""Roughly what a currency's unit is worth, so that one limit makes sense for yen, dollars and dinars alike."""

UNITS_PER_DOLLAR: dict[str, float] = {
    "BHD": 0.4, "IQD": 1300, "JOD": 0.7, "KWD": 0.3, "LYD": 5, "OMR": 0.4, "TND": 3,
    "BIF": 2900, "CLP": 950, "DJF": 180, "GNF": 8600, "ISK": 140, "JPY": 150, "KMF": 450, "KRW": 1400,
    "PYG": 7500, "RWF": 1400, "UGX": 3700, "VND": 25_000, "VUV": 120, "XAF": 600, "XOF": 600, "XPF": 110,
    "AFN": 70, "ALL": 90, "AMD": 390, "AOA": 900, "ARS": 1000, "BDT": 120, "BTN": 85, "CDF": 2800, "COP": 4000,
    "CRC": 510, "CUP": 24, "CVE": 100, "CZK": 23, "DOP": 60, "DZD": 135, "EGP": 50, "ETB": 120, "GMD": 70,
    "GYD": 210, "HTG": 130, "HUF": 360, "IDR": 16_000, "INR": 85, "IRR": 42_000, "JMD": 160, "KES": 130,
    "KGS": 87, "KHR": 4100, "KPW": 900, "KZT": 500, "LAK": 21_000, "LBP": 90_000, "LKR": 300, "LRD": 190,
    "MGA": 4500, "MKD": 57, "MMK": 2100, "MNT": 3400, "MRU": 40, "MUR": 46, "MWK": 1700, "MXN": 19, "MZN": 64,
    "NGN": 1500, "NIO": 37, "NPR": 135, "PHP": 57, "PKR": 280, "RSD": 108, "RUB": 95, "SDG": 600, "SLE": 23,
    "SOS": 570, "SRD": 36, "SSP": 4000, "STN": 23, "SYP": 13_000, "THB": 34, "TRY": 35, "TWD": 32, "TZS": 2600,
    "UAH": 41, "UYU": 42, "UZS": 12_500, "VES": 60, "YER": 250, "ZAR": 18, "ZMW": 27, "ZWG": 26,
    "CNY": 7, "DKK": 7, "HKD": 8, "MAD": 10, "MOP": 8, "NOK": 11, "SEK": 10,
}  # fmt: skip
"""Units that buy about a dollar's worth; currencies left out lie within a factor of five of the dollar.

Orders of magnitude for limits and for the forest, not exchange rates: being off by half changes no decision that
the account's own history does not make better.
"""


def in_dollars(amount: float, currency: str) -> float:
    """An amount in major units of `currency`, in roughly dollars."""
    return amount / UNITS_PER_DOLLAR.get(currency, 1)
