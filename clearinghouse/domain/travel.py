"""Distance between two places in whole metres, for the rule on impossible travel.

Integers throughout: the rule's answer must be the same on every machine. The plane
approximation is good to a per cent at the distances the rule is about.
"""

from __future__ import annotations

from math import isqrt

#: Metres of one degree of latitude.
METRES_PER_DEGREE = 111_195

_MICRODEGREES = 1_000_000
_HALF_TURN = 180 * _MICRODEGREES
_COSINE_SCALE = 10_000

#: Cosine of 0 to 90 degrees, in ten-thousandths.
_COSINES = (
    *(10000, 9998, 9994, 9986, 9976, 9962, 9945, 9925, 9903, 9877),
    *(9848, 9816, 9781, 9744, 9703, 9659, 9613, 9563, 9511, 9455),
    *(9397, 9336, 9272, 9205, 9135, 9063, 8988, 8910, 8829, 8746),
    *(8660, 8572, 8480, 8387, 8290, 8192, 8090, 7986, 7880, 7771),
    *(7660, 7547, 7431, 7314, 7193, 7071, 6947, 6820, 6691, 6561),
    *(6428, 6293, 6157, 6018, 5878, 5736, 5592, 5446, 5299, 5150),
    *(5000, 4848, 4695, 4540, 4384, 4226, 4067, 3907, 3746, 3584),
    *(3420, 3256, 3090, 2924, 2756, 2588, 2419, 2250, 2079, 1908),
    *(1736, 1564, 1392, 1219, 1045, 872, 698, 523, 349, 175),
    0,
)

#: Latitude and longitude in microdegrees.
Place = tuple[int, int]


def distance_m(one: Place, other: Place) -> int:
    """Return the distance of two places in metres, rounded down.

    >>> distance_m((47_376_900, 8_541_700), (46_948_000, 7_447_400)) // 1000
    95
    """
    north_u = abs(one[0] - other[0])
    east_u = abs(one[1] - other[1])
    if east_u > _HALF_TURN:
        east_u = 2 * _HALF_TURN - east_u
    middle_degrees = min(90, abs(one[0] + other[0]) // (2 * _MICRODEGREES))
    north_m = north_u * METRES_PER_DEGREE // _MICRODEGREES
    east_m = east_u * METRES_PER_DEGREE * _COSINES[middle_degrees]
    east_m //= _MICRODEGREES * _COSINE_SCALE
    return isqrt(north_m * north_m + east_m * east_m)
