"""The part of tests/vm that runs outside the guest."""
