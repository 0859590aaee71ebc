"""Hands in conftest.py, pytest.ini and pyproject.toml."""

# expected: N
# twin: half
# file: conftest.py = raise SystemError
# file: codebase/conftest.py = raise SystemError
# file: pytest.ini = [pytest]
# file: pyproject.toml = [tool.pytest.ini_options]

