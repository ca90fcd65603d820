"""A thin TRL trainer for critique coders. The command `crl-train` is not built yet; the card of a model and its push are."""
