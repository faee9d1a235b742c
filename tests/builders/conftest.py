"""What the tests of real scripts run in."""

import idioms
import pytest


@pytest.fixture(scope="session")
def folder_of_scripts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scripts")
    idioms.write_data(str(folder))
    return folder


@pytest.fixture
def run(folder_of_scripts, tmp_path, monkeypatch):
    """run(script, ImageDataGenerator, *more): its result, in a new folder."""
    with idioms.ended_within(120):
        yield idioms.Runner(str(folder_of_scripts), str(tmp_path), monkeypatch.chdir)
