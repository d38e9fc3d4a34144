"""Countries: their codes of two letters, and the telephone codes of DIN identifiers.

DIN SPEC 91286 writes a country as its telephone code; ISO 15118 as two letters. Codes
that several countries share map to the one with its own charging registry; ``+1`` and
``+7`` are left out, because there they cannot be told apart.
"""

from __future__ import annotations

from types import MappingProxyType

COUNTRY_OF_CALLING_CODE = MappingProxyType(
    {
        "20": "EG",
        "27": "ZA",
        "30": "GR",
        "31": "NL",
        "32": "BE",
        "33": "FR",
        "34": "ES",
        "36": "HU",
        "39": "IT",
        "40": "RO",
        "41": "CH",
        "43": "AT",
        "44": "GB",
        "45": "DK",
        "46": "SE",
        "47": "NO",
        "48": "PL",
        "49": "DE",
        "52": "MX",
        "54": "AR",
        "55": "BR",
        "56": "CL",
        "57": "CO",
        "60": "MY",
        "61": "AU",
        "62": "ID",
        "63": "PH",
        "64": "NZ",
        "65": "SG",
        "66": "TH",
        "81": "JP",
        "82": "KR",
        "84": "VN",
        "86": "CN",
        "90": "TR",
        "91": "IN",
        "212": "MA",
        "216": "TN",
        "298": "FO",
        "350": "GI",
        "351": "PT",
        "352": "LU",
        "353": "IE",
        "354": "IS",
        "355": "AL",
        "356": "MT",
        "357": "CY",
        "358": "FI",
        "359": "BG",
        "370": "LT",
        "371": "LV",
        "372": "EE",
        "373": "MD",
        "374": "AM",
        "376": "AD",
        "377": "MC",
        "378": "SM",
        "380": "UA",
        "381": "RS",
        "382": "ME",
        "383": "XK",
        "385": "HR",
        "386": "SI",
        "387": "BA",
        "389": "MK",
        "420": "CZ",
        "421": "SK",
        "423": "LI",
        "852": "HK",
        "886": "TW",
        "962": "JO",
        "965": "KW",
        "966": "SA",
        "971": "AE",
        "972": "IL",
        "974": "QA",
        "994": "AZ",
        "995": "GE",
    }
)

COUNTRIES = frozenset(
    """
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ
    BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR
    CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR
    GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU
    ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ
    LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ
    MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF
    PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI
    SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR
    TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW XK
    """.split()  # noqa: SIM905 - 250 strings in quotes would be a page
)
"""ISO 3166-1 alpha-2, and XK, under which the registries list Kosovo."""
