"""Writes corpus.json: documents with the YAML that PyYAML makes of them, and
texts with what it reads in them. Run: python3 corpus.py > corpus.json"""
import json
import random

import yaml

rnd = random.Random(7)
ATOMS = ["a", "b c", "word", " ", "  ", "\n", "\n\n", ": ", ":", "#", " #", "'", '"', "\\", "- ", "-", "?", "{{#n.x#}}", "{", "}", "[", "]",
         ",", "&", "*", "!", "|", ">", "%", "@", "`", "\t", "é", "中文", "🤖", "\u2028", "\u00a0", "\ufeff", "\x07", "\r", "0", "1.5", "yes",
         "null", "~", "<<", "=", "2020-01-02", "---", "...", "long words that go on and on until the line is folded somewhere after eighty characters "]
WORDS = ["", "true", "True", "on", "no", "1", "0x1f", "0b1", "017", "08", "1_000", "1e5", "1.0e+5", "1.", ".5", "+1", "-1", "12:30", "12:30.5",
         ".inf", "-.inf", ".nan", "null", "NULL", "~", "2020-01-02", "2020-01-02 03:04:05", "0.7.0", "1.5", "#FFEAD5", "a: b", "a:b", "a #b",
         "a#b", "- x", "-x", "--- x", "? x", "?x", "'q'", '"q"', " lead", "trail ", "x\n", "\nx", "x\ny", "x\n\ny", "x \ny", "x\n y", "*a", "&a",
         "!t", "%d", "@x", "`x`", "[x]", "{x}", "a, b", "a]b", "\t", "a\tb", "=", "<<", "x" * 200, "word " * 40, ("word " * 40).strip(),
         "it's " * 30, "line\n" * 5, "é" * 90, "中 " * 60, "🤖 " * 50, "a\\b " * 40 + "\t", "x" * 130, "T {{ q }}", "a\x85b", "\u2028"]


def text():
    return "".join(rnd.choice(ATOMS) for _ in range(rnd.randint(1, 9)))


def scalar():
    return rnd.choice([text, text, text, lambda: rnd.choice(WORDS), lambda: rnd.randint(-10, 10**6), lambda: rnd.random() * 10**rnd.randint(-8, 20),
                       lambda: rnd.choice([True, False, None, 1.0, 1e16, 1e22, 1e-7, 0.1])])()


def node(depth):
    k = rnd.random()
    if depth <= 0 or k < 0.4:
        return scalar()
    if k < 0.7:
        return {rnd.choice(["k", "key", "a b", "1", "true", text()[:20]]) + str(i): node(depth - 1) for i in range(rnd.randint(0, 3))}
    return [node(depth - 1) for _ in range(rnd.randint(0, 3))]


def clean(v):
    """What JSON can carry: PyYAML reads dates and non-text keys."""
    return v == json.loads(json.dumps(v, allow_nan=False)) if not isinstance(v, float) or v == v else False


docs = [{"k": w} for w in WORDS] + [{"l": [w, {"deep": {"er": [w]}}]} for w in WORDS] + [{w: 1} for w in WORDS if "\n" not in w and len(w) < 100 and "\u2028" not in w and "\x85" not in w]
docs += [{"r": node(4)} for _ in range(260)]
out = []
for d in docs:
    y = yaml.safe_dump(d, allow_unicode=True)
    try:
        if yaml.safe_load(y) == d and clean(d):
            out.append({"value": d, "yaml": y})
    except Exception:
        pass
plain = []
for w in WORDS + ["a: [1, 2, {b: c}]", "x: |\n  t\n  u\n", "x: >-\n  t\n  u\n", "a: &x {p: 1}\nb: *x\nc:\n  <<: *x\n  q: 2\n", "on: yes\noff: no", "k: !!str 5",
                  "k: !!int '5'", "? a\n: b", "a:\n- 1\n- - 2\n  - 3\n"]:
    src = w if ":" in w and ("\n" in w or "{" in w or "on:" in w or "k:" in w or "[1" in w) else "k: " + w
    try:
        v = yaml.safe_load(src)
        if isinstance(v, dict) and all(isinstance(k, str) for k in v) and clean(v):
            plain.append({"yaml": src, "value": v})
    except Exception:
        pass
print(json.dumps({"dump": out, "parse": plain}, ensure_ascii=True, indent=0))
