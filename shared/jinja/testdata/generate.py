#!/usr/bin/env python3
"""Writes corpus.json: templates with the output or error the Python engine gives.

Needs `pip install jinja2`. Run it from this folder; the cases are in cases.txt:
blocks separated by lines of four dashes, each "template", or a JSON object of
variables on a first line starting with "@vars ", then the template. Lines
starting with "@group " name what follows; after "@lines" every line is a
template of its own; "@default {json}" sets the variables from there on.
"""
import copy
import json
import pathlib

from jinja2.sandbox import SandboxedEnvironment

HERE = pathlib.Path(__file__).parent


def run(template, variables):
    try:
        return {"output": SandboxedEnvironment().from_string(template).render(**copy.deepcopy(variables))}
    except Exception as e:  # every failure is an expectation
        return {"error": type(e).__name__, "message": str(e)}


def main():
    text = (HERE / "cases.txt").read_text()
    default, group, out = {}, "", []
    for block in text.split("\n----\n"):
        variables = default
        lines = False
        while block.startswith("@"):
            line, _, block = block.partition("\n")
            key, _, value = line.partition(" ")
            if key == "@group":
                group = value
            elif key == "@vars":
                variables = json.loads(value)
            elif key == "@lines":
                lines = True
            elif key == "@default":
                default = variables = json.loads(value)
        if block == "":
            continue
        for template in block.split("\n") if lines else [block]:
            case = {"group": group, "template": template, "vars": variables}
            case.update(run(template, variables))
            out.append(case)
    (HERE / "corpus.json").write_text(json.dumps(out, indent=1, ensure_ascii=True) + "\n")
    print(len(out), "cases")


if __name__ == "__main__":
    main()
