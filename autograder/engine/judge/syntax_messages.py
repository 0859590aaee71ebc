"""CPython's own messages for code that it cannot parse, as opposed to texts of a submission.

A worker's message may contain everything that the worker was sent. It is shown if it is one of the
messages of CPython 3.10 to 3.14, with only harmless values in its blanks: a sign, a line number, a
name from the line of source.
"""

from __future__ import annotations

import re
from functools import lru_cache

_KINDS = {
    "LINE": r"\d{1,6}",
    "SIGN": r".",
    "CODE": r"[0-9A-F]{2,6}",
    "NUMBER": r"(?:decimal|hexadecimal|octal|binary|imaginary)",
    "STATEMENT": (
        r"(?:'(?:if|elif|else|for|while|with|try|except|except\*|finally|match|case)' statement"
        r"|function definition|class definition)"
    ),
    "WORDS": (  # CPython's names for an expression in a wrong place
        "(?:assignment expression|attribute|await expression|comparison|conditional expression|"
        "dict comprehension|dict literal|expression|f-string expression|function call|"
        "generator expression|lambda|list|list comprehension|literal|name|named expression|"
        "set comprehension|set display|starred|subscript|template string expression|tuple|"
        "yield expression)"
    ),
    "NAME": r"[^\W\d]\w{0,80}(?:\.[^\W\d]\w{0,80}){0,3}",  # checked against the line of source
}
_FIXED_NAMES = frozenset(("True", "False", "None", "Ellipsis", "__debug__", "ellipsis"))
_MESSAGES = """
'SIGN' was never closed
unmatched 'SIGN'
closing parenthesis 'SIGN' does not match opening parenthesis 'SIGN'
closing parenthesis 'SIGN' does not match opening parenthesis 'SIGN' on line LINE
invalid syntax
invalid syntax. Perhaps you forgot a comma?
invalid syntax. Maybe you meant '==' instead of '='?
invalid syntax. Maybe you meant '==' or ':=' instead of '='?
invalid syntax. Is this intended to be part of the string?
invalid syntax. Did you mean 'NAME'?
invalid character 'SIGN' (U+CODE)
invalid non-printable character U+CODE
invalid NUMBER literal
invalid digit 'SIGN' in NUMBER literal
leading zeros in decimal integer literals are not permitted; use an 0o prefix for octal integers
unterminated string literal (detected at line LINE)
unterminated string literal (detected at line LINE); perhaps you escaped the end quote
unterminated triple-quoted string literal (detected at line LINE)
unterminated f-string literal (detected at line LINE)
unterminated triple-quoted f-string literal (detected at line LINE)
unterminated t-string literal (detected at line LINE)
unterminated triple-quoted t-string literal (detected at line LINE)
unexpected character after line continuation character
unexpected EOF while parsing
unexpected indent
unexpected unindent
unindent does not match any outer indentation level
inconsistent use of tabs and spaces in indentation
too many levels of indentation
too many nested parentheses
too many statically nested blocks
expected an indented block
expected an indented block after STATEMENT on line LINE
expected 'SIGN'
expected 'in'
expected 'except' or 'finally' block
expected 'else' after 'if' expression
expected expression before 'if', but statement is given
expected expression after 'else', but statement is given
expected one or more exception types
Expected one or more names after 'import'
Did you mean to use 'from ... import ...' instead?
Invalid star expression
expected default value expression
expected pattern
multiple exception types must be parenthesized
multiple exception types must be parenthesized when using 'as'
cannot have both 'except' and 'except*' on the same 'try'
default 'except:' must be last
'else' block after 'try' without 'except'
'elif' block follows an 'else' block
Missing parentheses in call to 'NAME'. Did you mean NAME(...)?
cannot assign to WORDS
cannot assign to NAME
cannot assign to WORDS here. Maybe you meant '==' instead of '='?
cannot assign to NAME here. Maybe you meant '==' instead of '='?
cannot delete WORDS
cannot delete NAME
cannot use assignment expressions with WORDS
cannot use assignment expressions with NAME
cannot use a starred expression in a dictionary value
cannot use a starred expression in a dictionary key
cannot use starred expression here
cannot use double starred expression here
cannot unpack only part of a dict
can't use starred expression here
cannot import a name as WORDS
cannot use WORDS as import target
cannot use WORDS as pattern target
cannot use except statement with WORDS
cannot use except* statement with WORDS
'WORDS' is an illegal expression for augmented assignment
'NAME' is an illegal expression for augmented assignment
illegal target for annotation
only single target (not WORDS) can be annotated
starred assignment target must be in a list or tuple
multiple starred expressions in assignment
too many expressions in star-unpacking assignment
assignment to yield expression not possible
expression cannot contain assignment, perhaps you meant "=="?
':' expected after dictionary key
expression expected after dictionary key and ':'
dict unpacking cannot be used in dict comprehension
iterable unpacking cannot be used in comprehension
did you forget parentheses around the comprehension target?
Generator expression must be parenthesized
positional argument follows keyword argument
positional argument follows keyword argument unpacking
iterable argument unpacking follows keyword argument unpacking
keyword argument repeated: NAME
duplicate argument 'NAME' in function definition
duplicate parameter 'NAME' in function definition
non-default argument follows default argument
parameter without a default follows parameter with a default
named arguments must follow bare *
named parameters must follow bare *
arguments cannot follow var-keyword argument
parameters cannot follow var-keyword parameter
var-positional argument cannot have default value
var-positional parameter cannot have default value
var-keyword argument cannot have default value
var-keyword parameter cannot have default value
at least one argument must precede /
at least one parameter must precede /
/ must be ahead of *
* argument may appear only once
* may appear only once
/ may appear only once
bare * has associated type comment
Function parameters cannot be parenthesized
Lambda expression parameters cannot be parenthesized
trailing comma not allowed without surrounding parentheses
import * only allowed at module level
from __future__ imports must occur at the beginning of the file
future feature NAME is not defined
not a chance
'return' outside function
'return' with value in async generator
'break' outside loop
'continue' not properly in loop
'yield' outside function
'yield from' outside function
'yield from' inside async function
'await' outside function
'await' outside async function
'async with' outside async function
'async for' outside async function
asynchronous comprehension outside of an asynchronous function
'break', 'continue' and 'return' cannot appear in an except* block
name 'NAME' is parameter and global
name 'NAME' is parameter and nonlocal
name 'NAME' is nonlocal and global
name 'NAME' is used prior to global declaration
name 'NAME' is used prior to nonlocal declaration
name 'NAME' is assigned to before global declaration
name 'NAME' is assigned to before nonlocal declaration
annotated name 'NAME' can't be global
annotated name 'NAME' can't be nonlocal
nonlocal declaration not allowed at module level
no binding for nonlocal 'NAME' found
bytes can only contain ASCII literal characters
cannot mix bytes and nonbytes literals
source code string cannot contain null bytes
f-string: SIGN
f-string: expecting '}'
f-string: expecting '!', or ':', or '}'
f-string: expecting '=', or '!', or ':', or '}'
f-string: expecting a valid expression after '{'
f-string: valid expression required before 'SIGN'
f-string: expression required before 'SIGN'
f-string: empty expression not allowed
f-string: single '}' is not allowed
f-string: unmatched 'SIGN'
f-string: unterminated string
f-string: unexpected end of string
f-string: expressions nested too deeply
f-string: too many nested parenthesis
f-string: closing parenthesis 'SIGN' does not match opening parenthesis 'SIGN'
f-string: invalid conversion character: expected 's', 'r', or 'a'
f-string: invalid conversion character 'SIGN': expected 's', 'r', or 'a'
f-string: missing conversion character
f-string: conversion type must come right after the exclamation mark
f-string expression part cannot include a backslash
f-string expression part cannot include '#'
f-string: invalid syntax
f-string: invalid syntax. Perhaps you forgot a comma?
f-string: invalid syntax. Maybe you meant '==' or ':=' instead of '='?
f-string: cannot use starred expression here
f-string: newlines are not allowed in format specifiers
(value error) invalid \\x escape at position LINE
"""


def _pattern(message: str) -> re.Pattern[str]:
    pieces = re.split(f"({'|'.join(_KINDS)})", message)
    return re.compile(
        "".join(
            f"(?P<b{i}_{piece}>{_KINDS[piece]})" if piece in _KINDS else re.escape(piece)
            for i, piece in enumerate(pieces)
        )
    )


_ESCAPES = (
    r"truncated \xXX escape",
    r"truncated \uXXXX escape",
    r"truncated \UXXXXXXXX escape",
    r"malformed \N character escape",
    "illegal Unicode character",
    "unknown Unicode character name",
)
_UNICODE = "(unicode error) 'unicodeescape' codec can't decode bytes in position LINE-LINE: "


@lru_cache(maxsize=1)  # most gradings need none of them
def _patterns() -> tuple[re.Pattern[str], ...]:
    messages = (*_MESSAGES.strip().split("\n"), *(_UNICODE + escape for escape in _ESCAPES))
    return tuple(map(_pattern, messages))


def is_pythons_own(message: str, source: str) -> bool:
    """Return whether a text is one of CPython's messages for this line, as it was handed in."""
    return any(
        all(_fits(kind, text, source) for kind, text in match.groupdict().items())
        for match in (pattern.fullmatch(message) for pattern in _patterns())
        if match is not None
    )


def _fits(kind: str, text: str, source: str) -> bool:
    if kind.endswith("SIGN"):
        return text in source or text.isascii()
    if kind.endswith("NAME"):
        names = re.findall(r"[^\W\d]\w*", source)
        return text in _FIXED_NAMES or all(part in names for part in text.split("."))
    return True
