"""From a source's ``shape.yaml`` to the SQL that accepts or refuses a message.

``Shape.accepts`` is one fast condition for every message. ``Shape.rules`` checks field
by field, to say what is wrong with a refused message. Both are made from the same
table; a test compares them on the corpus of odd messages.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from palate.definition_files import mapping, valid
from palate.names import AREAS_FOLDER, FileReason, Reason
from palate.sources.changes import NOT_A_CHANGE, OTHER_SOURCE
from palate.sources.shape_file import ShapeFile

_TIME_FORM = (
    "{0} ~ '^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}} [0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}$'"
)


# A well-formed time that exists reads the same after PostgreSQL has parsed and written
# it; jsonpath parses without raising, and faster than a regular expression. (A year of
# five digits would pass, hence the length.)
def _time_exists(text: str, value: str, path: str = "") -> str:
    at = f'${"." * bool(path)}{path}.datetime("YYYY-MM-DD HH24:MI:SS")'
    return (
        f"char_length({text}) = 19"
        f" AND jsonb_path_query_first({value}, '{at}', '{{}}', TRUE) #>> '{{}}'"
        f" = replace({text}, ' ', 'T')"
    )


@dataclass(frozen=True)
class Field:
    """One field of a form: its path, and what it must be."""

    path: str
    type: dict[str, Any]
    is_required: bool
    within: str | None = None

    @property
    def value(self) -> str:
        """Return SQL for the field's jsonb, in ``doc`` or in a list's element ``e``."""
        return f"(e -> '{self.path}')" if self.within else _value(self.path)

    @property
    def text(self) -> str:
        """Return SQL for the field's text; that of a JSON null is NULL."""
        return f"(e ->> '{self.path}')" if self.within else _text(self.path)


@dataclass(frozen=True)
class Kind:
    """How a message says that it is one of its source, and the reason if it doesn't."""

    field: str
    text: str
    reason: str

    @property
    def sentence(self) -> str:
        """Return what a person reads about a refused message."""
        return f"it is no object whose {self.field} is the text {self.text}"


@dataclass(frozen=True)
class Shape:
    """What one form of messages must look like."""

    form: str
    kind: Kind
    fields: tuple[Field, ...]
    lists: tuple[str, ...]
    equal: tuple[tuple[str, str], ...]
    version_path: str

    @property
    def version_time(self) -> str:
        """Return the name of the version's time in ``texts``."""
        return _column(self.version_path)

    @property
    def texts(self) -> dict[str, str]:
        """Return SQL over ``doc`` for each text outside of lists, by a column's name.

        Extracting a text costs more than most uses of it.
        """
        return {
            _column(item.path): item.text
            for item in self._of(None)
            if item.type["json"] == "string"
        }

    def accepts(self) -> str:
        """Return SQL that is true for an accepted message only.

        It reads ``doc`` and the columns of ``texts``. One path checks types and ranges;
        what a path can't check comes after it.
        """
        rest = [_limits(_column(item.path), item) for item in self._of(None)]
        rest += [_each(path, self._of(path)) for path in self.lists]
        # CASE is the one form in which PostgreSQL promises an order of evaluation.
        return (
            f"CASE WHEN doc @@ '{self._path}'"
            f" THEN {' AND '.join(filter(None, rest)) or 'TRUE'} ELSE FALSE END"
        )

    @cached_property
    def _path(self) -> str:
        same = [_if_any(f"$.{a}", f"$.{a} == $.{b}") for a, b in self.equal]
        return " && ".join([f"strict {_is_object('$', self._tree)}", *same])

    @cached_property
    def _tree(self) -> dict[str, Any]:
        """Return the fields and lists by the names of their paths."""
        tree: dict[str, Any] = {}
        leaves: dict[str, Any] = {item.path: item for item in self._of(None)}
        leaves |= {path: self._of(path) for path in self.lists}
        for path, leaf in leaves.items():
            *parents, name = path.split(".")
            node = tree
            for parent in parents:
                node = node.setdefault(parent, {})
            node[name] = leaf
        return tree

    def _of(self, path: str | None) -> list[Field]:
        return [item for item in self.fields if item.within == path]

    def rules(self) -> list[tuple[str, str, str]]:
        """Return (reason, detail, SQL over ``doc``), in the order to evaluate them."""
        found = list(self._rules())
        return [
            rule
            for reason in (Reason.WRONG_SHAPE, Reason.OUT_OF_RANGE)
            for rule in found
            if rule[0] == reason
        ]

    def _rules(self) -> Iterator[tuple[str, str, str]]:
        paths = [*(item.path for item in self._of(None)), *self.lists]
        for parent in sorted({path.rpartition(".")[0] for path in paths} - {""}):
            is_object = f"jsonb_typeof({_value(parent)}) = 'object'"
            yield Reason.WRONG_SHAPE, f"{parent} must be an object", is_object
        for path in self.lists:
            # The text of a whole list is expensive; its type says as much.
            kind = f"coalesce(jsonb_typeof({_value(path)}), 'null')"
            detail = f"{path} must be a list, if there is one"
            yield Reason.WRONG_SHAPE, detail, f"{kind} IN ('array', 'null')"
        for path, other in self.equal:
            same = f"({_text(path)} IS NULL OR {_value(path)} = {_value(other)})"
            yield Reason.WRONG_SHAPE, f"{path}, if any, must equal {other}", same
        for item in self._of(None):
            yield from _rules_of(item)
        for path in self.lists:
            objects = _all_of(path, "jsonb_typeof(e) = 'object'")
            yield Reason.WRONG_SHAPE, f"{path} must hold objects only", objects
            for item in self._of(path):
                for reason, detail, condition in _rules_of(item):
                    yield reason, detail, _all_of(path, condition)


def load_shapes(path: Path) -> list[Shape]:
    """Return the shape of each form in a ``shape.yaml``.

    :raises DefinitionError: names the file, the fields and what to do
    """
    content = mapping(path)
    valid(path, ShapeFile, content, "Add a source")
    kind = content["kind"]
    types = content["types"]
    return [
        Shape(
            form=name,
            kind=Kind(kind["field"], kind["text"], kind["otherwise"]),
            fields=(
                *_fields(form, types, None),
                *(
                    field
                    for path, element in form.get("lists", {}).items()
                    for field in _fields(element, types, path)
                ),
            ),
            lists=tuple(form.get("lists", {})),
            equal=tuple(form.get("equal", {}).items()),
            version_path=form["version_time"],
        )
        for name, form in content["forms"].items()
    ]


@lru_cache(maxsize=1)
def load_reasons() -> tuple[str, ...]:
    """Return why messages are refused: the reasons of any source, and their own."""
    own = {
        shape.kind.reason
        for path in AREAS_FOLDER.glob("*/sources/*/shape.yaml")
        for shape in load_shapes(path)
    }
    if any(AREAS_FOLDER.glob("*/sources/*/tables.yaml")):
        own |= {NOT_A_CHANGE, OTHER_SOURCE}
    own |= set(FileReason)
    first, *others = Reason
    return (first, *sorted(own), *others)


def _fields(
    group: dict[str, Any], types: dict[str, Any], path: str | None
) -> Iterator[Field]:
    for is_required, key in ((True, "required"), (False, "optional")):
        for name, type in group.get(key, {}).items():
            yield Field(name, types[type], is_required, path)


def _rules_of(item: Field) -> Iterable[tuple[str, str, str]]:
    type, value, text = item.type, item.value, item.text
    where = f"{item.path} in {item.within}" if item.within else item.path
    found = [
        (
            Reason.WRONG_SHAPE,
            f"be a {type['json']}",
            f"jsonb_typeof({value}) = '{type['json']}'",
        )
    ]
    if type.get("whole"):
        found += [
            (Reason.WRONG_SHAPE, "be a whole number", f"{value}::numeric %% 1 = 0")
        ]
    if type.get("time"):
        what = "have the form YYYY-MM-DD HH:MM:SS"
        found += [
            (Reason.WRONG_SHAPE, what, _TIME_FORM.format(text)),
            (Reason.OUT_OF_RANGE, "be a time that exists", _time_exists(text, value)),
        ]
    if "least" in type:
        low, high = type["least"], type["most"]
        between = f"{value} BETWEEN '{low}'::jsonb AND '{high}'::jsonb"
        found += [(Reason.OUT_OF_RANGE, f"be from {low} to {high}", between)]
    if "decimals" in type:
        number = type["decimals"]
        few = f"scale(trim_scale({value}::numeric)) <= {number}"
        found += [(Reason.OUT_OF_RANGE, f"have at most {number} decimals", few)]
    if "longest" in type:
        low, high = type["shortest"], type["longest"]
        between = f"char_length({text}) BETWEEN {low} AND {high}"
        found += [(Reason.OUT_OF_RANGE, f"have {low} to {high} characters", between)]
    for reason, what, condition in found:
        if item.is_required:
            yield reason, f"{where} must {what}", condition
        else:
            # A JSON null counts as missing; both have no text.
            may = f"({text} IS NULL OR {condition})"
            yield reason, f"{where}, if any, must {what}", may


def _all_of(path: str, condition: str) -> str:
    # bool_and ignores NULL, and anything but true is wrong.
    return (
        f"(SELECT coalesce(bool_and(({condition}) IS TRUE), TRUE)"
        f" FROM jsonb_array_elements(CASE WHEN jsonb_typeof({_value(path)}) = 'array'"
        f" THEN {_value(path)} END) AS e)"
    )


def _members(tree: dict[str, Any]) -> Iterator[str]:
    """Yield predicates of a strict jsonpath over the members of an object ``@``."""
    for name, node in tree.items():
        at = f"@.{name}"
        if isinstance(node, Field):
            tests = list(_path_tests(at, node.type))
            if tests:
                test = " && ".join(tests)
                yield test if node.is_required else _if_any(at, test)
        elif isinstance(node, dict):
            yield _is_object(at, node)
        else:
            # Not "exists one that fails": a predicate may be neither true nor false.
            each = _is_object("@", {item.path: item for item in node})
            yield _if_any(at, f"!exists({at}[*] ? (!{each}))")


def _is_object(at: str, tree: dict[str, Any]) -> str:
    tests = ['@.type() == "object"', *_members(tree)]
    return f"exists({at} ? ({' && '.join(tests)}))"


def _if_any(at: str, test: str) -> str:
    # In a strict path it is unknown whether a missing member equals anything.
    return f"({test} || ({at} == null) is unknown || {at} == null)"


def _path_tests(at: str, type: dict[str, Any]) -> Iterator[str]:
    """Yield what a jsonpath can check of a value; another type gives unknown."""
    if "least" in type:
        yield f"{at} >= {type['least']} && {at} <= {type['most']}"
    if type.get("whole"):
        yield f"{at} %% 1 == 0"
    if "decimals" in type:
        yield f"{at} %% {10 ** -type['decimals']:.{type['decimals']}f} == 0"
    if "longest" in type:
        yield f'{at} {">" if type["shortest"] else ">="} ""'


def _limits(text: str, item: Field) -> str | None:
    """Return SQL for what a jsonpath can't check: the length of a text, exact times."""
    if "longest" in item.type:
        return f"coalesce(char_length({text}), 0) <= {item.type['longest']}"
    if item.type.get("time"):
        if item.within:
            exists = _time_exists(text, f"e.{item.path}")
        else:
            exists = _time_exists(text, "doc", item.path)
        return exists if item.is_required else f"({text} IS NULL OR {exists})"
    return None


def _each(path: str, fields: list[Field]) -> str:
    """Return SQL for the same of each element; the path has checked its type."""
    columns, tests = [], []
    for item in fields:
        is_time = bool(item.type.get("time"))
        text = f"(e.{item.path} #>> '{{}}')" if is_time else f"e.{item.path}"
        if test := _limits(text, item):
            columns.append(f"{item.path} {'jsonb' if is_time else 'text'}")
            tests.append(test)
    return (
        f"(SELECT coalesce(bool_and(({' AND '.join(tests)}) IS TRUE), TRUE)"
        f" FROM jsonb_to_recordset(nullif({_value(path)}, 'null'))"
        f" AS e ({', '.join(columns)}))"
    )


def _column(path: str) -> str:
    return path.replace(".", "_")


def _value(path: str) -> str:
    return f"(doc #> '{{{path.replace('.', ',')}}}')"


def _text(path: str) -> str:
    return f"(doc #>> '{{{path.replace('.', ',')}}}')"
