from typing import Any

from autograder.engine.catalogue.solutions import Catalogue as Catalogue
from autograder.engine.catalogue.solutions import Right as Right
from autograder.engine.catalogue.solutions import Wrong as Wrong
from autograder.engine.judge.compare import Tolerance as Tolerance
from autograder.engine.judge.compare import assert_close as assert_close
from autograder.engine.judge.decorators import blocked_by as blocked_by
from autograder.engine.judge.decorators import explained_by as explained_by
from autograder.engine.judge.decorators import number as number
from autograder.engine.judge.decorators import requires_any_of as requires_any_of
from autograder.engine.judge.decorators import visibility as visibility
from autograder.engine.judge.decorators import weight as weight
from autograder.engine.judge.diagnosis import Diagnosis as Diagnosis
from autograder.engine.judge.exceptions import CheckFailed as CheckFailed
from autograder.engine.judge.student import Student as Student

__version__: str
API: dict[str, str]

def __getattr__(name: str) -> Any: ...
