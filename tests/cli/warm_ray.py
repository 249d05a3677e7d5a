"""Imported by what forks Ray's agents: what they import when they start.

Ray reads at its import whether there is authentication.
"""

import os

from tests.cli.agents import PIPES

os.environ |= {PIPES: "1", "RAY_AUTH_MODE": "token"}

import ray._private.runtime_env.agent.main
import ray.dashboard.agent
import ray.dashboard.modules.aggregator.aggregator_agent
import ray.dashboard.modules.event.event_agent
import ray.dashboard.modules.job.job_agent
import ray.dashboard.modules.log.log_agent
import ray.dashboard.modules.reporter.healthz_agent
import ray.dashboard.modules.reporter.reporter_agent  # noqa: F401
