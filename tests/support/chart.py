"""What of the chart is made: `python -m tests.support.chart` (make chart) writes it, a test compares.

values.yaml's settings come from the settings model, values.schema.json's too, and README.md's table from values.yaml.
"""

from pathlib import Path
from typing import Final

from tests.support.chart_readme import with_values
from tests.support.chart_schema import with_made_parts
from tests.support.chart_values import with_settings

CHART: Final = Path(__file__).resolve().parents[2] / "charts" / "podgate"


def made() -> dict[Path, str]:
    """The files with their made parts made anew."""
    values, schema, readme = (CHART / name for name in ("values.yaml", "values.schema.json", "README.md"))
    with_made_settings = with_settings(values.read_text())
    return {
        values: with_made_settings,
        schema: with_made_parts(schema.read_text()),
        readme: with_values(readme.read_text(), with_made_settings),
    }


if __name__ == "__main__":
    for path, text in made().items():
        path.write_text(text)
