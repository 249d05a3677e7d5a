"""What is searched: a YAML file as typed sections, the dimensions in it and what they may take."""
