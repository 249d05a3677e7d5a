"""Imported by what forks commands: it does beforehand what every search would do again.

Ray looks for the packages of its dashboard, and Plotly makes its validators at their first use.
"""

import ray.dashboard.optional_deps  # noqa: F401

import tests.cli.warm_ray  # noqa: F401
from analysis.figures.style import new_figure, plain_axes

plain_axes(new_figure().add_scatter(x=[0], y=[0])).to_json()
