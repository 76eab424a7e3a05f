"""The airline's airports and aircraft, which hardly change."""

from dataclasses import dataclass

FARES = {"Economy": 1.0, "Comfort": 1.6, "Business": 3.0}


@dataclass(frozen=True)
class Airport:
    """An airport; its name and city in English and Russian."""

    code: str
    name: tuple[str, str]
    city: tuple[str, str]
    longitude: float
    latitude: float
    timezone: str


@dataclass(frozen=True)
class Aircraft:
    """An aircraft: rows of seats by fare, with the letters of a row."""

    code: str
    model: tuple[str, str]
    range: int
    letters: str
    rows: dict[str, int]

    def seats(self) -> list[tuple[str, str]]:
        """Return number and fare of each seat, from the front."""
        fares = [fare for fare, count in self.rows.items() for _ in range(count)]
        return [
            (f"{row}{letter}", fare)
            for row, fare in enumerate(fares, start=1)
            for letter in self.letters
        ]


AIRPORTS = (
    Airport(
        *("SVO", ("Sheremetyevo", "Шереметьево"), ("Moscow", "Москва")),
        *(37.4146, 55.9726, "Europe/Moscow"),
    ),
    Airport(
        *("LED", ("Pulkovo", "Пулково"), ("St. Petersburg", "Санкт-Петербург")),
        *(30.2625, 59.8003, "Europe/Moscow"),
    ),
    Airport(
        *("AER", ("Sochi", "Сочи"), ("Sochi", "Сочи")),
        *(39.9566, 43.4499, "Europe/Moscow"),
    ),
    Airport(
        *("KZN", ("Kazan", "Казань"), ("Kazan", "Казань")),
        *(49.2787, 55.6062, "Europe/Moscow"),
    ),
    Airport(
        *("SVX", ("Koltsovo", "Кольцово"), ("Yekaterinburg", "Екатеринбург")),
        *(60.8027, 56.7431, "Asia/Yekaterinburg"),
    ),
    Airport(
        *("OVB", ("Tolmachevo", "Толмачёво"), ("Novosibirsk", "Новосибирск")),
        *(82.6507, 55.0126, "Asia/Novosibirsk"),
    ),
    Airport(
        *("KJA", ("Yemelyanovo", "Емельяново"), ("Krasnoyarsk", "Красноярск")),
        *(92.4933, 56.1729, "Asia/Krasnoyarsk"),
    ),
    Airport(
        *("VVO", ("Vladivostok", "Владивосток"), ("Vladivostok", "Владивосток")),
        *(132.148, 43.399, "Asia/Vladivostok"),
    ),
)
AIRCRAFT = (
    Aircraft(
        *("320", ("Airbus A320-200", "Аэробус A320-200"), 5700, "ACDF"),
        {"Business": 3, "Economy": 12},
    ),
    Aircraft(
        *("SU9", ("Sukhoi Superjet-100", "Сухой Суперджет-100"), 3000, "ACDF"),
        {"Business": 2, "Economy": 9},
    ),
    Aircraft(
        *("773", ("Boeing 777-300", "Боинг 777-300"), 11100, "ACDEGK"),
        {"Business": 3, "Comfort": 3, "Economy": 14},
    ),
    Aircraft(
        *("CN1", ("Cessna 208 Caravan", "Сессна 208 Караван"), 1200, "AB"),
        {"Economy": 6},
    ),
)

# Given names and surnames, as they stand on tickets.
GIVEN = ("ANNA", "IVAN", "OLGA", "PETR", "VERA", "OLEG", "NINA", "LEV", "ZOYA", "IGOR")
SURNAMES = ("ORLOV", "KIM", "VOLKOV", "LEBED", "SOKOL", "D'ALMEIDA", "ZAITSEV", "GUSEV")
