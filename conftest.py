"""Doctests are the user's code, and not the code of the module that they stand in."""

import pytest


@pytest.fixture(autouse=True)
def as_users_code(doctest_namespace):
    """A loop over a flow of `ImageDataGenerator` is endless in the user's code alone."""
    doctest_namespace["__name__"] = "__main__"
