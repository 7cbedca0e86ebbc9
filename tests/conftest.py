"""What all tests share."""


def pytest_ignore_collect(collection_path, config):
    """Do not import drizzlepac, which takes seconds, where its tests are not wanted."""
    unwanted = "not upstream" in (config.option.markexpr or "")
    return True if unwanted and collection_path.name.startswith("test_upstream") else None
