"""Search spaces: YAML files as typed sections, and their dimensions and distributions."""
