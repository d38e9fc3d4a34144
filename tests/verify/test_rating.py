"""Rating in SQL, on DuckDB and PostgreSQL, agrees with the house and with decimals."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import duckdb
import psycopg
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from clearinghouse.domain.rating import compile_tariff, rate
from clearinghouse.domain.tariff_checks import COMPONENTS_MAX, PRICE_U_MAX
from clearinghouse.domain.tariffs import Component, ComponentType, PricePer, Tariff
from clearinghouse.domain.usage import Interval, Usage
from clearinghouse.identifiers.zones import zone_named
from clearinghouse.verify.rating import TABLES, Engine, Row, statement, tables
from tests.domain.rating_cases import EVENING, Case, cases
from tests.domain.rating_oracle import oracle
from tests.verify.rating_rows import rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from clearinghouse.storage.embedded.postgres import EmbeddedPostgres

#: SDRs that one statement rates: planning it costs more than running it.
BATCH_MAX = 10


class Twin:
    """The two databases, with the tables to be filled."""

    def __init__(self, postgres: psycopg.Connection[tuple[object, ...]]) -> None:
        self.duck = duckdb.connect()
        self.duck.execute(tables(Engine.DUCKDB))
        self.postgres = postgres
        postgres.execute(tables(Engine.POSTGRESQL).encode())

    def fill(self, rows: Sequence[Row]) -> None:
        """Put these rows in place of those that are there."""
        by_table: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            by_table[TABLES[type(row)]].append(row)
        for table in TABLES.values():
            self._both(f"DELETE FROM {table}", [])  # noqa: S608 - our own tables
        for table, some in by_table.items():
            one = ", ".join(["?"] * len(some[0]))
            places = ", ".join([f"({one})"] * len(some))
            insert = f"INSERT INTO {table} VALUES {places}"  # noqa: S608 - our own tables
            self._both(insert, [value for row in some for value in row])

    def _both(self, query: str, values: list[object]) -> None:
        self.duck.execute(query, values)
        self.postgres.execute(query.replace("?", "%s").encode(), values)

    def by_duckdb(self) -> list[int]:
        """Rate on DuckDB; in the order of the SDRs."""
        return [row[1] for row in self.duck.execute(statement()).fetchall()]

    def by_postgresql(self) -> list[object]:
        """Rate on PostgreSQL; in the order of the SDRs."""
        found = self.postgres.execute(statement().encode()).fetchall()
        return [row[1] for row in found]


@pytest.fixture(scope="module")
def twin(postgres: EmbeddedPostgres) -> Iterator[Twin]:
    """Open both databases once for the module."""
    url = postgres.url("postgres", "postgres").replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as connection:
        made = Twin(connection)
        yield made
        made.duck.close()


def by_house(case: Case) -> int:
    """Rate with the compiled tariff and the explaining one; a credit mirrors it."""
    compiled = compile_tariff(case.tariff, case.zone, case.connectors)
    rated = rate(
        case.tariff,
        case.usage,
        case.zone,
        connectors=case.connectors,
        vat_rate_bp=case.vat_rate_bp,
    )
    assert compiled(case.usage, case.vat_rate_bp) == rated.net_minor
    return case.sign * rated.net_minor


# Not shrunk: each try asks two databases, and the seed that is told repeats it.
@settings(max_examples=25, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(some=st.lists(cases(), min_size=BATCH_MAX, max_size=BATCH_MAX))
def test_five_ways_of_rating_agree_to_the_minor_unit(
    twin: Twin, some: list[Case]
) -> None:
    expected = [oracle(case) for case in some]
    twin.fill(
        [row for number, case in enumerate(some) for row in rows_of(number, case)]
    )

    assert [by_house(case) for case in some] == expected
    assert twin.by_duckdb() == expected
    assert twin.by_postgresql() == expected


def test_largest_amounts_that_a_tariff_can_name_do_not_overflow(twin: Twin) -> None:
    prices = tuple(
        Component(
            type=ComponentType.ENERGY,
            price_u=PRICE_U_MAX,
            step=1,
            price_per=PricePer.STEP,
        )
        for _ in range(COMPONENTS_MAX)
    )
    tariff = Tariff(
        tariff_id="T",
        currency="CLF",
        valid_from=EVENING,
        components=prices,
        discount_ppm=1,
        vat_included=True,
    )
    case = Case(
        tariff=tariff,
        usage=Usage(EVENING, EVENING, (Interval(EVENING, 10**9, 3600),)),
        transactions=(0,),
        zone=zone_named("UTC"),
        connectors=frozenset(),
        vat_rate_bp=1900,
        sign=1,
    )
    twin.fill(list(rows_of(1, case)))

    assert [by_house(case)] == twin.by_duckdb() == twin.by_postgresql()
    assert by_house(case) == oracle(case)


def test_tables_have_the_columns_of_the_rows(twin: Twin) -> None:
    for row, table in TABLES.items():
        query = f"SELECT * FROM {table}"  # noqa: S608 - our own tables
        by_duckdb = twin.duck.execute(query).description
        by_postgresql = twin.postgres.execute(query.encode()).description or []

        assert tuple(column[0] for column in by_duckdb) == row._fields
        assert tuple(column.name for column in by_postgresql) == row._fields
