"""Whether user-data is what cloud-init takes, found out in time that grows with its length alone."""

import yaml

LIMIT_BYTES = 64 * 1024
EXPANDED_NODES = 100_000  # what aliases and merges may make of it: more would be a trap for who reads it
# What YAML's constructors let through from Python: numbers of 5,000 digits, empty ones, days that are none, depth.
_FAULTS = (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError, ArithmeticError, RecursionError)


def user_data_error(text: str) -> str:
    """Return one sentence on what is wrong with ``text``; empty when nothing is."""
    if not text:
        return ""
    if len(text.encode()) > LIMIT_BYTES:
        return "User-data can be at most 64 KiB."
    if "\0" in text:
        return "User-data must be text."
    if text.startswith("#!"):
        return ""
    if not text.startswith("#cloud-config"):
        return "User-data must start with #cloud-config or #!."
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is not None and _expanded(root, {}) > EXPANDED_NODES:
            return "User-data repeats itself by aliases too often."
        parsed = yaml.safe_load(text)
    except _FAULTS as error:
        mark = getattr(error, "problem_mark", None)
        return f"User-data is not valid YAML{f' (line {mark.line + 1})' if mark else ''}."
    return "" if parsed is None or isinstance(parsed, dict) else "User-data must be a YAML mapping."


def _expanded(node: yaml.Node, known: dict[int, int]) -> int:
    """Return how many nodes there are when every alias is written out. A node within itself is beyond any limit."""
    if id(node) not in known:
        known[id(node)] = EXPANDED_NODES + 1
        total = 1 + sum(_expanded(child, known) for child in _children(node))
        known[id(node)] = min(total, EXPANDED_NODES + 1)
    return known[id(node)]


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [child for pair in node.value for child in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else []
