"""Has the parser of the Azure CLI that is installed judge commands. Nothing is run, nothing is sent.

    az_parse.py az_newer.txt FILE...

A FILE is a list of commands, one a line, quoted for a shell, or a .md document, of which the `sh` blocks are read. Each
command that az does not take is printed with what az says; the last line counts. What is in az_newer.txt may be unknown.
"""
import contextlib
import io
import re
import shlex
import sys

from azure.cli.core import get_default_cli


def read_newer(path):
    """The (command, option) pairs that this az need not know."""
    with open(path, encoding="utf-8") as file:
        rows = [line.split("|") for line in file if line.strip() and not line.startswith("#")]
    return {(row[0].strip(), row[1].strip()) for row in rows}


def read_commands(path):
    """The command lines of a file that call az, continued lines joined, X=$(az ...) opened."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    if path.endswith(".md"):
        text = "\n".join(re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    lines = text.replace("\\\n", " ").splitlines()
    opened = [re.sub(r"^\w+=\$\((.*)\)$", r"\1", line.strip()) for line in lines]
    return [re.sub(r" > \S+$", "", line) for line in opened if re.match(r"az\s", line)]


def parse(words):
    """The command that az takes these words for, and what it says to them: "" if nothing."""
    cli = get_default_cli()
    invocation = cli.invocation_cls(cli_ctx=cli, parser_cls=cli.parser_cls, commands_loader_cls=cli.commands_loader_cls,
                                    help_cls=cli.help_cls)
    cli.invocation = invocation
    loader = invocation.commands_loader
    loader.load_command_table(words)
    command = invocation._rudimentary_get_command(words)  # pylint: disable=protected-access
    if command not in loader.command_table:
        return " ".join(words[:next(i for i, word in enumerate(words + ["-"]) if word.startswith("-"))]), "no such command"
    loader.command_table = {command: loader.command_table[command]}
    loader.command_name = invocation.data["command_string"] = command
    loader.load_arguments(command)
    invocation.parser.load_command_table(loader)
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            invocation.parser.parse_args(words)
    except SystemExit:
        return command, (said.getvalue().strip() or "refused").splitlines()[0]
    return command, ""


def without(words, options):
    """The words but these options and their values."""
    left, skipping = [], False
    for word in words:
        if word.startswith("--"):
            skipping = word in options
        if not skipping:
            left.append(word)
    return left


def judge(line, newer):
    """What is wrong with a command line: "" if nothing."""
    words = shlex.split(line, comments=True)[1:]
    command, said = parse(words)
    if said == "no such command" and (command, "*") in newer:
        return ""
    if said.startswith("unrecognized arguments:"):
        unknown = {word for word in said.split()[2:] if word.startswith("-")}
        if unknown <= {option for of, option in newer if of == command}:
            said = parse(without(words, unknown))[1]
    return said


def main():
    newer = read_newer(sys.argv[1])
    good = bad = 0
    for path in sys.argv[2:]:
        for line in read_commands(path):
            said = judge(line, newer)
            if said:
                print(f"{path}: {line}\n    {said}")
            good, bad = good + (not said), bad + bool(said)
    print(f"{good} good, {bad} bad")
    return 0 if good > 0 and bad == 0 else 1


sys.exit(main())
