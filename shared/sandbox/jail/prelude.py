def _millrace():
    import marshal, posix, sys

    def send(tag, text):
        data = tag + text.encode("utf-8", "backslashreplace")
        while data:
            data = data[posix.write(3, data):]

    def refuse(o):
        raise TypeError("Object of type %s is not JSON serializable" % o.__class__.__name__)

    def encode(value):
        # The json package costs more than the rest of the run: use the
        # encoder below it unless the code has loaded json anyway.
        enc = None
        if "json" not in sys.modules:
            try:
                import _json
                enc = _json.make_encoder({}, refuse, _json.encode_basestring_ascii, None, ": ", ", ", False, False, False)
            except (ImportError, AttributeError, TypeError):
                pass
        if enc is not None:
            return "".join(enc(value, 0))
        import json
        return json.dumps(value, allow_nan=False)

    # The code is the beginning of a program as the contract has it: it starts
    # at line 1 and the call of main stands ten lines below its end. Tracebacks
    # show these two and nothing of this file.
    name, call, gap = "/var/sandbox/main.py", "output_obj = main(**inputs_obj)", 10

    def explain(e, code):
        try:
            import linecache, traceback
            lines = code.replace("\r\n", "\n").replace("\r", "\n").split("\n")
            lines += [""] * (gap - 2) + [call]
            linecache.cache[name] = (len(code), None, [l + "\n" for l in lines], name)
            if isinstance(e, SyntaxError) and e.filename == name and e.text is None and e.lineno:
                # Some stages of the compiler look for the line in a file.
                e.text = lines[e.lineno - 1]
            frames, tb, encoding = [], e.__traceback__, False
            while tb is not None:
                frame = tb.tb_frame.f_code
                # Below encode only what the result's own classes do is theirs.
                encoding = encoding or frame is encode.__code__
                if frame not in ours and (not encoding or frame.co_filename == name):
                    frames.append(tb)
                tb = tb.tb_next
            for frame in reversed(frames):
                frame.tb_next = tb
                tb = frame
            return "".join(traceback.format_exception(type(e), e, tb))
        except BaseException:
            return type(e).__name__

    req = marshal.loads(sys.stdin.buffer.read())
    code = req["code"]
    sys.path.extend(req["path"])
    sys.argv[:] = [name]
    scope = sys.modules["__main__"].__dict__
    scope.pop("_millrace", None)
    ours = (sys._getframe().f_code, encode.__code__, refuse.__code__)
    try:
        exec(compile(code, name, "exec", dont_inherit=True), scope)
        scope["inputs_obj"] = req["inputs"]
        ends = code.count("\n") + code.count("\r") - code.count("\r\n")
        exec(compile("\n" * (ends + gap - 1) + call, name, "exec", dont_inherit=True), scope)
        out = encode(scope["output_obj"])
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
