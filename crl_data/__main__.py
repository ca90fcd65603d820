"""`python -m crl_data` is `crl-data`."""

from crl_data.cli import main

if __name__ == "__main__":
    main()
