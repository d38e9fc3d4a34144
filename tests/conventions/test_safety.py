"""What must not be done even once: open parsers, unchecked TLS, SQL from text."""

from __future__ import annotations

import ast
import re

import pytest

from tests.conventions import source

# The hardened parser for what comes from outside, the one of the reference endpoint,
# which is a partner's program, and the loader of our own files.
PARSER = "clearinghouse/soap/parser.py"
PARTNERS_PARSER = "clearinghouse/endpoint/envelope.py"
LOADER = "clearinghouse/contract/loader.py"
PARSES = frozenset(
    {
        "HTML",
        "HTMLParser",
        "HTMLPullParser",
        "XML",
        "XMLDTDID",
        "XMLID",
        "XMLParser",
        "XMLPullParser",
        "fromstring",
        "fromstringlist",
        "iterparse",
        "parse",
        "parseid",
    }
)
XML_MODULES = frozenset({"ElementTree", "ET", "etree", "objectify"})
STANDARD_PARSERS = re.compile(r"xml\.(etree|dom|parsers|sax(?!\.saxutils))\b")

# Process tops: the only places where any error whatever ends.
TOPS = frozenset(
    {
        "clearinghouse/app.py",
        "clearinghouse/cli/main.py",
        "clearinghouse/cli/verbs.py",
        "clearinghouse/delivery/worker.py",
        "clearinghouse/endpoint/front.py",
        "clearinghouse/soap/reception.py",
        "clearinghouse/soap/server.py",
    }
)

# The settings, and what hands the environment on to a child process.
READ_ENVIRONMENT = frozenset(
    {
        "clearinghouse/cli/processes.py",
        "clearinghouse/cli/serving.py",
        "clearinghouse/settings.py",
    }
)

SQL = re.compile(
    r"\s*(select\s|insert\s+into\s|update\s+\S+\s+set\s|delete\s+from\s|merge\s+into\s"
    r"|copy\s+\S+\s*(\(|from|to)|truncate\s|grant\s|revoke\s|set\s+(local|session|role)\s"
    r"|(create|alter|drop)\s+(or\s+replace\s+)?(table|schema|role|user|database|index"
    r"|function|view|sequence|trigger|extension|publication|unique\s+index)\b"
    r"|with\s+\S+\s+as\s*\()",
    re.IGNORECASE,
)
RUNS_SQL = frozenset({"DDL", "exec_driver_sql", "text"})


def _parser_uses(module: source.Module) -> list[ast.AST]:
    uses: list[ast.AST] = [
        node
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute)
        and node.attr in PARSES
        and source.dotted(node.value).rpartition(".")[2] in XML_MODULES
    ]
    for node, name in source.imported_names(module.tree):
        before, _, last = name.rpartition(".")
        if STANDARD_PARSERS.match(name) or (
            before.startswith("lxml") and last in PARSES
        ):
            uses.append(node)
    return uses


def test_only_the_hardened_parser_and_the_loader_parse() -> None:
    places = [
        place
        for module in source.package()
        if module.path not in {PARSER, PARTNERS_PARSER, LOADER}
        for place in module.places(_parser_uses(module))
    ]

    assert not places, f"use clearinghouse.soap.parser: {places}"


def _makes_parser(call: ast.Call) -> bool:
    return source.dotted(call.func).endswith("Parser")


@pytest.mark.parametrize(
    ("path", "count"),
    [(PARSER, len(("whole", "streamed"))), (PARTNERS_PARSER, 1), (LOADER, 1)],
)
def test_parsers_are_made_in_one_place_for_each_purpose(path: str, count: int) -> None:
    functions = {
        node.name
        for module in source.package()
        if module.path == path
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef)
        and any(_makes_parser(call) for call, _ in source.calls(node))
    }

    assert len(functions) == count, f"one function for one purpose: {functions}"


def _unchecked(node: ast.AST) -> bool:
    if isinstance(node, ast.keyword | ast.Assign):
        off = isinstance(node.value, ast.Constant) and node.value.value is False
        if isinstance(node, ast.keyword):
            return off and node.arg in {"verify", "check_hostname"}
        return off and any(
            isinstance(target, ast.Attribute)
            and target.attr in {"verify", "check_hostname"}
            for target in node.targets
        )
    return isinstance(node, ast.Attribute) and node.attr in {
        "CERT_NONE",
        "_create_unverified_context",
    }


def test_certificates_are_always_checked() -> None:
    places = [
        f"{module.path}:{getattr(node, 'lineno', '?')}"
        for module in (*source.package(), *source.tests())
        for node in ast.walk(module.tree)
        if _unchecked(node)
    ]

    assert not places, f"trust the right authority instead: {places}"


def _text_of(node: ast.AST) -> str | None:
    """Return the fixed beginning of a text that is put together at run time."""
    match node:
        case ast.JoinedStr(values=[ast.Constant(value=str(text)), *rest]) if rest:
            return text
        case ast.JoinedStr(values=[ast.FormattedValue(), *_]):
            return ""
        case (
            ast.BinOp(op=ast.Mod() | ast.Add(), left=ast.Constant(value=str(text)))
            | ast.Call(
                func=ast.Attribute(value=ast.Constant(value=str(text)), attr="format")
            )
        ):
            return text
    return None


def test_no_statement_is_put_together_from_text() -> None:
    places = [
        place
        for module in source.package()
        for node in ast.walk(module.tree)
        if (text := _text_of(node)) and SQL.match(text)
        for place in module.places([node])
    ]
    places += [
        place
        for module in source.package()
        for node, name in source.calls(module.tree)
        if name.rpartition(".")[2] in RUNS_SQL
        and node.args
        and _text_of(node.args[0]) is not None
        for place in module.places([node])
    ]

    assert not places, f"bind parameters, psycopg.sql for names: {places}"


def test_only_the_command_line_prints() -> None:
    places = [
        place
        for module in source.package()
        if module.floor != "cli"
        for node, name in source.calls(module.tree)
        if name in {"print", "sys.stdout.write", "sys.stderr.write"}
        for place in module.places([node])
    ]

    assert not places, f"log an event instead: {places}"


def _is_broad(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(source.dotted(kind) in {"Exception", "BaseException"} for kind in kinds)


def _ends_by_raising(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def test_only_process_tops_catch_any_error() -> None:
    places = [
        place
        for module in source.package()
        if module.path not in TOPS
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ExceptHandler)
        and _is_broad(node)
        and not _ends_by_raising(node)
        for place in module.places([node])
    ]

    assert not places, f"name the error that is expected: {places}"


def test_only_the_settings_read_the_environment() -> None:
    places = [
        place
        for module in source.package()
        if module.path not in READ_ENVIRONMENT
        for node in ast.walk(module.tree)
        if source.dotted(node) in {"os.environ", "os.getenv", "environ", "getenv"}
        and isinstance(node, ast.Attribute)
        for place in module.places([node])
    ]

    assert not places, f"make it a setting: {places}"
