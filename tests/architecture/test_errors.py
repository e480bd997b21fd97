"""Errors: every code once, every class a sentence, every class that can reach a caller a status."""

import ast
import inspect
import textwrap
from collections import Counter

from panel.core import errors
from panel.core.api.problems import STATUS
from panel.core.errors import PanelError
from panel.core.operations import Operation, registered

WORKERS = ("panel.core.tasks", "hosts.operations", "vms.operations", "panel.core.backup")
# These never leave a worker.
INSIDE = (errors.JobLostError, errors.JobCancelledError, errors.JobGivenUpError, errors.WaitError)


def classes(base: type[PanelError] = PanelError) -> list[type[PanelError]]:
    return [base, *(found for sub in base.__subclasses__() for found in classes(sub))]


def test_codes_are_unique_and_set_by_each_class():
    ours = [cls for cls in classes() if cls.__module__.split(".")[0] in ("panel", "hosts", "vms", "billing")]
    missing = [cls.__name__ for cls in ours if "code" not in cls.__dict__]
    repeated = [code for code, count in Counter(cls.code for cls in ours).items() if count > 1]
    assert (missing, repeated) == ([], [])


def test_every_error_without_a_message_still_says_a_sentence():
    for cls in classes():
        sentence = str(cls())
        assert sentence.endswith("."), cls
        assert sentence[0].isupper(), cls


def test_every_error_has_a_status():
    raised = [c for c in classes()[1:] if not c.__module__.startswith(WORKERS) and not issubclass(c, INSIDE)]
    lost = [f"{cls.__module__}.{cls.__name__}" for cls in raised if not set(cls.__mro__) & set(STATUS)]
    assert lost == []


def test_every_operation_has_its_steps_and_every_inverse_its_method():
    assert registered()
    for action, operation in registered().items():
        assert operation.steps, action
        names = [step.name for step in operation.steps]
        assert len(set(names)) == len(names), action
        for step in operation.steps:
            method = getattr(operation, step.name, None)
            assert callable(method), f"{action}: {step.name}"
            assert list(inspect.signature(method).parameters) == ["self"], f"{action}: {step.name}"
            assert step.title, f"{action}: {step.name}"
            assert step.deadline_s > 0, f"{action}: {step.name}"
        for inverse in _inverses(operation):
            assert callable(getattr(operation, f"undo_{inverse}", None)), f"{action}: undo_{inverse}"


def _inverses(operation: type) -> set[str]:
    """Return what an operation's own classes journal with ``self.undo("name", …)``."""
    found = set()
    for base in operation.__mro__:
        if base is object or base is Operation:
            continue
        for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(base)))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.func.attr != "undo":
                continue
            if node.args and isinstance(node.args[0], ast.Constant):
                found.add(str(node.args[0].value))
    return found
