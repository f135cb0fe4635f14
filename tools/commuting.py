"""Which two statements of C surely come to the same in either order (for tools/mutants.py).

Knows one-line statements as .clang-format lays them out. It says yes only if it can show it, and
takes whatever it does not know for something that may read and write everything. The grounds:

- A private variable (a number or a pointer of the function, whose address nobody takes) is touched
  only where its name stands.
- Two fields with different names do not overlap, since no union is in use, unless one lies within
  the other: so a field that is a whole struct counts as distinct only from its object's others.
- What frees one object, or fills the one that its first argument points at, touches nothing else.
- Headers of different names, and options of libcurl, may be set in any order.
"""

import functools
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent

WORD = re.compile(r"[A-Za-z_]\w*")
PATH = r"[a-z_]\w*(?:(?:->|\.)[a-z_]\w*)*"
TYPE = r"(?:static )?(?:const )?(?:(?:struct|enum) \w+|[a-z_]\w*)(?: const)? "
DECLARATION = re.compile(rf"^({TYPE})(\**)([a-z_]\w*)(\[.*?\])?(?: = (.*))?;$")
ASSIGNMENT = re.compile(rf"^((?:{PATH} = )+)(.*);$")
CHANGE = re.compile(rf"^({PATH})(?: [-+*|&]= (.*)|\+\+|--);$")
FILLERS = ("snprintf|memcpy|memset|error_set|strbuf_init|http_headers_init|product_state_init|"
           "token_init|crypto_wipe")
FILLING = re.compile(rf"^(?:{FILLERS})\(&?({PATH})(?:, (.*))?\);$")
FREERS = ("free|close|cJSON_Delete|cJSON_free|strbuf_cleanup|strbuf_cleanup_wipe|token_cleanup|"
          "product_state_cleanup|reservation_list_cleanup|http_headers_cleanup|http_reply_cleanup")
FREEING = re.compile(rf"^(?:{FREERS})\(&?({PATH})\);$")
SETTING = re.compile(rf'^(?:http_headers_addf?\((&?{PATH}), "|'
                     r'keep_first\(&code, curl_easy_setopt\((easy), )([\w-]+)"?, ')
CONTROL = re.compile(r"^(?:return|goto|break|continue|case|default|else|do|while|for|if)\b")
HARMLESS_CALLS = {"sizeof", "clock_max_ms", "clock_min_ms", "strcmp", "strlen", "memcmp", "strncmp",
                  "strcasecmp", "strchr"}
NO_PLACES = {"true", "false", "NULL", "sizeof", "struct", "enum", "const", "int", "char", "bool",
             "size_t", "int64_t", "uint64_t", "unsigned", "double", "time_t"}


@functools.cache
def field_kinds():
    """Names of the fields and variables that are structs (not pointers), and those of arrays."""
    structs, arrays, others = set(), set(), set()
    for path in sorted((ROOT / "handler").rglob("*.[ch]")):
        for line in path.read_text(encoding="utf-8").split("\n"):
            found = re.match(rf"^\s+({TYPE})([^=(]*)(?: = .*)?;", line)
            for name in found[2].split(", ") if found else []:
                bare = WORD.search(name)
                if bare and "*" not in name and found[1].startswith(("struct", "const struct")):
                    structs.add(bare[0])
                (arrays if "[" in name else others).add(bare[0] if bare else "")
    return structs, arrays - others


def function_around(lines, number):
    """The text from the line after an empty one to the function's end; None among members."""
    begin = end = number
    while begin > 0 and lines[begin - 1] and not lines[begin - 1].startswith(("}", "#")):
        begin -= 1
    while end < len(lines) and not lines[end].startswith("}"):
        end += 1
    indent = len(lines[number]) - len(lines[number].lstrip())
    outer = number
    while outer > 0 and (not lines[outer] or lines[outer].startswith(" " * indent)):
        outer -= 1
    is_type = re.match(r"^\s*(?:static |const )*(?:struct|union|enum)\b[^()]*\{$", lines[outer])
    return None if is_type or indent == 0 else "\n".join(lines[begin:end])


class Statement:
    """What one statement may read and write."""

    def __init__(self, text, function):
        self.text = re.sub(r'"(?:[^"\\]|\\.)*"', '""', text.strip())
        self.function = function
        self.places, self.reads, self.is_known = [], "", True
        self.is_declaration = self.is_filling = False
        self.freed = None
        self._parse()
        self.reads = re.sub(r"\.\w+ = ", "", self.reads)
        calls = set(re.findall(r"([A-Za-z_]\w*)\(", self.reads)) - HARMLESS_CALLS
        self.places += re.findall(rf"({PATH})(?:\+\+|--)", self.reads)
        self.reads = re.sub(rf"({PATH})(?:\+\+|--)", r"\1", self.reads)
        changes_more = re.search(r"\+\+|--|[^=!<>]=[^=]", self.reads)
        self.calls = bool(calls or changes_more) or not self.is_known
        self.names = set(WORD.findall(self.text)) - NO_PLACES

    def _parse(self):
        text = self.text
        if CONTROL.match(text):
            self.is_known = False
        elif found := FREEING.match(text):
            self.freed, self.is_known = found[1], False
        elif found := FILLING.match(text):
            self.places, self.reads, self.is_filling = [found[1]], found[2] or "", True
        elif found := CHANGE.match(text):
            self.places, self.reads = [found[1]], f"{found[1]} {found[2] or ''}"
        elif found := ASSIGNMENT.match(text):
            self.places, self.reads = found[1].split(" = ")[:-1], found[2]
        elif found := DECLARATION.match(text):
            self.places, self.reads = [found[3]], found[5] or ""
            self.is_declaration = True
        else:
            self.is_known = False

    def is_private(self, name):
        """Whether the name is a variable of the function that nothing else can reach."""
        taken = re.search(rf"&{name}\b", self.function)
        found = re.search(rf"[(,]\s*({TYPE})(\**){name}(?=[,)])", self.function)
        for line in self.function.split("\n"):
            if match := DECLARATION.match(line.strip()):
                found = match if match[3] == name and not match[4] else found
        return bool(found) and not taken and (bool(found[2]) or "struct" not in found[1])

    def is_all_private(self):
        """Whether it reads and writes private variables alone, besides what it declares."""
        if self.calls or self.is_filling or reads_through_pointers(self.reads, "->", "."):
            return False
        words = {word for word in WORD.findall(self.reads) if word.upper() != word} - NO_PLACES
        words |= set() if self.is_declaration else set(self.places)
        return all(self.is_private(word) for word in words)


def reads_through_pointers(text, *more):
    """Whether it has an index, a '*' in front of a name, or one of these marks."""
    found = re.search(r"\[|(?:^|[(,=!?:&|+-])\s*\*\w", text)
    return bool(found) or any(mark in text for mark in more)


def reads_arrays_only(statement):
    """Of a call that fills: what it copies from cannot be a pointer to what another fills."""
    arrays = field_kinds()[1]
    paths = re.findall(PATH, re.sub(rf"sizeof {PATH}", "", statement.reads))
    return all(re.split(r"->|\.", path)[-1] in arrays | NO_PLACES for path in paths)


def disturbs(writer, place, other):
    """Whether the write to `place` may touch what the other statement reads or writes."""
    name = re.split(r"->|\.", place)[-1]
    if name in other.names:
        return True
    if writer.is_filling and place == name and f"&{name}" not in writer.text:
        return not other.is_all_private()  # what it fills is behind a pointer
    if place == name and (writer.is_declaration or writer.is_private(name)):
        return False
    if reads_through_pointers(other.text) or (other.is_filling and not reads_arrays_only(other)):
        return True
    if writer.is_filling and re.search(r"\b(str|mem)\w+\(", other.reads):
        return True
    if name not in field_kinds()[0] and not place == name:
        return False
    # A whole struct: the other may touch nothing but members of the same object, and numbers.
    root = place[: -len(name)]
    paths = [path for path in re.findall(PATH, other.text) if re.search(r"->|\.", path)]
    within = [path[len(root):] for path in paths if root and path.startswith(root)]
    return len(within) != len(paths) or other.is_filling


def frees_apart(first, second):
    """Whether both free something, neither of which lies within the other."""
    one, other = first.freed, second.freed
    return bool(one and other) and not (one + "->").startswith(other) and not other.startswith(one)


def set_apart(first_line, second_line):
    """Whether both set something of one object, under different names."""
    one, other = SETTING.match(first_line.strip()), SETTING.match(second_line.strip())
    is_same_object = bool(one and other) and one.group(1, 2) == other.group(1, 2)
    return is_same_object and one[3].lower() != other[3].lower()


def commute(first_line, second_line, function):
    """Whether the two statements of this function come to the same in either order."""
    first, second = Statement(first_line, function), Statement(second_line, function)
    if CONTROL.match(first.text) or CONTROL.match(second.text):
        return False
    if frees_apart(first, second) or set_apart(first_line, second_line):
        return True
    if first.calls and second.calls:
        return False
    for one, other in ((first, second), (second, first)):
        if one.calls and not other.is_all_private():
            return False
        if any(disturbs(one, place, other) for place in one.places):
            return False
    return True
