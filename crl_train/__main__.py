"""`python -m crl_train`, as `accelerate launch -m crl_train` runs it: the same as `crl-train`."""

from crl_train.cli import main

main()
