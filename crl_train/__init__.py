"""A thin TRL trainer for critique coders. Nothing is here yet: the command `crl-train` is not built."""
