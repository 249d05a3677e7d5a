"""How Ray's agents, which the tests fork, see that their raylet is gone."""

PIPES = "RAY_enable_pipe_based_agent_to_parent_health_check"
"""Where set, by a pipe from it, and not by their parent: that of a forked agent is another."""
