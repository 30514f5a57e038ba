def _millrace():
    import marshal, posix, sys

    def send(tag, text):
        data = tag + text.encode("utf-8", "backslashreplace")
        while data:
            data = data[posix.write(3, data):]

    def encode(value):
        # The json package costs more than the rest of the run: use the
        # encoder below it unless the code has loaded json anyway.
        enc = None
        if "json" not in sys.modules:
            try:
                import _json

                def refuse(o):
                    raise TypeError("Object of type %s is not JSON serializable" % o.__class__.__name__)

                enc = _json.make_encoder({}, refuse, _json.encode_basestring_ascii, None, ": ", ", ", False, False, False)
            except (ImportError, AttributeError, TypeError):
                pass
        if enc is not None:
            return "".join(enc(value, 0))
        import json
        return json.dumps(value, allow_nan=False)

    def explain(e, code):
        try:
            import linecache, traceback
            linecache.cache["<code>"] = (len(code), None, code.splitlines(True), "<code>")
            tb = e.__traceback__.tb_next if e.__traceback__ is not None else None
            return "".join(traceback.format_exception(type(e), e, tb)).rstrip()
        except BaseException:
            return type(e).__name__

    req = marshal.loads(sys.stdin.buffer.read())
    code = req["code"]
    sys.path.extend(req["path"])
    sys.argv[:] = ["<code>"]
    scope = sys.modules["__main__"].__dict__
    scope.pop("_millrace", None)
    try:
        exec(compile(code, "<code>", "exec", dont_inherit=True), scope)
        if "main" not in scope:
            raise NameError("name 'main' is not defined")
        result = scope["main"](**req["inputs"])
        out = encode(result)
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (AttributeError, ValueError):
                pass
    except BaseException as e:
        send(b"E", explain(e, code))
        posix._exit(1)
    send(b"R", out)
    # Without the interpreter's shutdown: nothing of this process is kept.
    posix._exit(0)


_millrace()
