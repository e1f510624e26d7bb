"""The catalog: YAML files in, models with their offers, abilities and prices out.

`load_catalog` reads and checks; `Catalog` answers. Whether a request fits a model and what it costs is the core's.
"""

from gatekeeper.catalog.catalog import Catalog
from gatekeeper.catalog.load import load_catalog

__all__ = ["Catalog", "load_catalog"]
