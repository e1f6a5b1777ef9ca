"""What people declare in the settings, as rows: its text reaches dbt as data and never as SQL."""

import re
from decimal import Decimal

import orjson
import pyarrow as pa

from etl.settings import Settings
from etl.vocabulary.columns import CONVERSIONS


def declared_conversions(settings: Settings) -> pa.Table:
    """Write the setting `conversions` as rows (columns of `CONVERSIONS`)."""
    rows = []
    for conversion in settings.conversions:
        currency, value = conversion.currency, conversion.value
        is_code = currency is not None and re.fullmatch("[A-Z]{3}", currency) is not None
        rows.append(
            {
                "conversion": conversion.name, "schema_name": conversion.schema_name, "once_per": conversion.once_per,
                "conditions": [
                    {"field": field, "operator": operator, "operand": as_json(operand)}
                    for field, operator, operand in conversion.where
                ],
                "value": None if isinstance(value, str) else Decimal(str(value)).quantize(Decimal("0.0001")),
                "value_field": value if isinstance(value, str) else None,
                "currency": currency if is_code else None,
                "currency_field": None if is_code else currency,
            }
        )  # fmt: skip
    return pa.Table.from_pylist(rows, schema=CONVERSIONS)


def as_json(operand: str | float | bool) -> str:
    """Write a condition's operand as an event's data would hold it, without quotes."""
    return operand if isinstance(operand, str) else orjson.dumps(operand).decode()
