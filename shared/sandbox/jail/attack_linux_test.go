//go:build linux && (amd64 || arm64)

package jail_test

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/millrace/millrace/shared/errs"
	"github.com/millrace/millrace/shared/sandbox"
	"github.com/millrace/millrace/shared/sandbox/driver"
	"github.com/millrace/millrace/shared/sandbox/jail"
	"github.com/stretchr/testify/require"
)

// layers are the combinations in which the jail must hold: all that there is,
// and each of the two file system layers alone.
func layers() map[string]jail.Options {
	return map[string]jail.Options{
		"all":             {},
		"only landlock":   {NoNamespaces: true},
		"only namespaces": {NoLandlock: true},
	}
}

// each runs a test in every combination that works on this machine.
func each(t *testing.T, lang driver.Language, f func(t *testing.T, opts jail.Options, s *sandbox.Sandbox)) {
	t.Helper()
	ran := false
	for name, opts := range layers() {
		d := jail.Open(opts)
		isolation, err := d.Check(t.Context(), lang)
		if err != nil {
			require.True(t, errs.Is(wrapped(t, d, lang), errs.ServiceUnavailable))
			t.Logf("%s: not here: %v", name, err)
			continue
		}
		ran = true
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			t.Log(isolation)
			f(t, opts, sandbox.New(d, sandbox.Options{Timeout: 20 * time.Second}))
		})
	}
	if !ran {
		t.Skip("this machine cannot jail code; TestRefusals shows what it answers")
	}
}

func wrapped(t *testing.T, d driver.Driver, lang driver.Language) error {
	t.Helper()
	_, err := sandbox.New(d, sandbox.Options{}).Run(t.Context(), sandbox.Request{Language: lang, Code: "def main(): return {}"})
	return err
}

// attempt runs the body of a Python function that must not succeed: main says
// which exception each attempt ended with, or what it got.
const attempts = `
import os, sys
def attempt(f):
    try:
        return 'GOT ' + repr(f())[:200]
    except BaseException as e:
        return 'refused: ' + type(e).__name__ + ' ' + str(e)[:100]
def main(**kw):
    return {k: attempt(v) for k, v in tries(**kw).items()}
`

func refused(t *testing.T, s *sandbox.Sandbox, inputs map[string]any, tries string) {
	t.Helper()
	res, err := s.Run(t.Context(), sandbox.Request{Language: sandbox.Python3, Code: attempts + tries, Inputs: inputs})
	require.NoError(t, err)
	var got map[string]string
	require.NoError(t, json.Unmarshal(res.Output, &got))
	require.NotEmpty(t, got)
	for name, answer := range got {
		t.Log(name, answer)
		require.Regexp(t, "^refused: ", answer, name)
	}
}

func TestPythonCannotReachFiles(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("hunter2"), 0o644)) //nolint:gosec // readable for all: only the jail protects it
	for dir := filepath.Dir(secret); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		require.NoError(t, os.Chmod(dir, 0o755)) //nolint:gosec // see above
	}
	each(t, driver.Python3, func(t *testing.T, _ jail.Options, s *sandbox.Sandbox) {
		refused(t, s, map[string]any{"secret": secret, "dir": filepath.Dir(secret), "parent": os.Getpid()}, `
def tries(secret, dir, parent):
    return {
        'passwd': lambda: open('/etc/passwd').read(),
        'shadow': lambda: open('/etc/shadow').read(),
        'secret': lambda: open(secret).read(),
        'list': lambda: os.listdir(dir),
        'environ of the parent': lambda: open('/proc/%d/environ' % parent).read(),
        'memory of the parent': lambda: open('/proc/%d/mem' % parent, 'rb').read(1),
        'environ of pid 1': lambda: open('/proc/1/environ').read(),
        'own maps': lambda: open('/proc/self/maps').read(),
        'write beside': lambda: open(dir + '/x', 'w').write('x'),
        'write to etc': lambda: open('/etc/x', 'w').write('x'),
        'write to the library': lambda: open(os.__file__, 'a').write('x'),
        'write to the root': lambda: open('/x', 'w').write('x'),
        'remove the secret': lambda: os.remove(secret),
        'rename the library': lambda: os.rename(os.__file__, os.__file__ + '2'),
        'mode of the library': lambda: os.chmod(os.__file__, 0o777),
        'raw disk': lambda: os.open('/dev/vda', os.O_RDONLY),
        'up': lambda: open('../../../../../../etc/passwd').read(),
        'link': lambda: os.symlink('/etc/passwd', '/tmp/l') or open('/tmp/l').read(),
    }
`)
		_, err := os.Stat(secret)
		require.NoError(t, err)
	})
}

func TestPythonSeesNoSettings(t *testing.T) {
	t.Parallel()
	each(t, driver.Python3, func(t *testing.T, _ jail.Options, s *sandbox.Sandbox) {
		res, err := s.Run(t.Context(), sandbox.Request{Language: sandbox.Python3, Code: `
import os, sys
def main():
    fds = []
    for fd in range(64):
        try:
            os.fstat(fd)
            fds.append(fd)
        except OSError:
            pass
    return {'env': dict(os.environ), 'fds': fds, 'uid': os.getuid(), 'argv': sys.argv}
`})
		require.NoError(t, err)
		var got struct {
			Env  map[string]string
			FDs  []int
			UID  int
			Argv []string
		}
		require.NoError(t, json.Unmarshal(res.Output, &got))
		for k := range got.Env {
			require.Contains(t, []string{"LC_CTYPE"}, k, "python sets this one itself")
		}
		require.Equal(t, []int{0, 1, 2, 3}, got.FDs)
		if os.Geteuid() == 0 {
			require.Equal(t, 65534, got.UID)
		}
	})
}

func TestPythonCannotReachProcesses(t *testing.T) {
	t.Parallel()
	each(t, driver.Python3, func(t *testing.T, _ jail.Options, s *sandbox.Sandbox) {
		refused(t, s, map[string]any{"parent": os.Getpid()}, `
import socket, signal, resource
def system():
    r = os.system('id')
    if r in (-1, 127 << 8, 0x7f00) or r != 0: raise OSError('system: %d' % r)
def bomb():
    while True: os.fork()
def spawn():
    import subprocess
    return subprocess.run(['/bin/sh', '-c', 'id'], capture_output=True)
def posix_spawn():
    return os.posix_spawn('/bin/sh', ['sh', '-c', 'id'], {})
def thread():
    import threading
    threading.Thread(target=print).start()
def ptrace(pid):
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(16, pid, 0, 0) != 0: raise OSError(ctypes.get_errno(), 'ptrace')
def peek(pid):
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(310, pid, 0, 0, 0, 0, 0) < 0: raise OSError(ctypes.get_errno(), 'process_vm_readv')
def namespace():
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x10000000) != 0: raise OSError(ctypes.get_errno(), 'unshare')
def mount():
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b'none', b'/tmp', b'tmpfs', 0, None) != 0: raise OSError(ctypes.get_errno(), 'mount')
def tries(parent):
    return {
        'shell': system, 'exec': lambda: os.execv('/bin/sh', ['sh', '-c', 'id']),
        'exec python': lambda: os.execv(sys.executable, [sys.executable, '-c', 'print(1)']),
        'spawn': spawn, 'posix_spawn': posix_spawn, 'fork': os.fork, 'fork bomb': bomb, 'thread': thread,
        'kill the parent': lambda: os.kill(parent, signal.SIGKILL),
        'stop everybody': lambda: os.kill(-1, signal.SIGSTOP),
        'ptrace': lambda: ptrace(parent), 'peek': lambda: peek(parent),
        'tcp': lambda: socket.socket().connect(('127.0.0.1', 80)),
        'udp': lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
        'unix': lambda: socket.socket(socket.AF_UNIX),
        'datagram pair': lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM),
        'netlink': lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
        'resolve': lambda: socket.gethostbyname('example.com'),
        'higher limits': lambda: resource.setrlimit(resource.RLIMIT_CPU, (1000, 1000)),
        'become root': lambda: os.setuid(0) if os.getuid() else os.setuid(1),
        'namespace': namespace, 'mount': mount, 'chroot': lambda: os.chroot('/tmp'),
        'priority': lambda: os.setpriority(os.PRIO_PROCESS, 0, -5),
    }
`)
		require.NoError(t, t.Context().Err()) // this process is still there
	})
}

// TestExecStaysDead tries the one form of exec that the filter lets through.
func TestExecStaysDead(t *testing.T) {
	t.Parallel()
	each(t, driver.Python3, func(t *testing.T, _ jail.Options, s *sandbox.Sandbox) {
		refused(t, s, nil, `
import ctypes, mmap
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
P = ctypes.c_void_p
NR = {'x86_64': (322, 9, 25), 'aarch64': (281, 222, 216)}[os.uname().machine]
PAGE = 0x10000
def call(nr, *args):
    r = libc.syscall(ctypes.c_long(nr), *[P(a & (2**64 - 1)) for a in args])
    if r < 0 and r > -4096: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return r
sh = ctypes.create_string_buffer(b'/bin/sh')
argv = (ctypes.c_char_p * 2)(b'sh', None)
def execveat(fd, path, flags=0x1000):
    return call(NR[0], fd, path, ctypes.addressof(argv), 0, flags)
def low_map(flags): return lambda: call(NR[1], PAGE, 4096, 3, flags, -1, 0)
def remap():
    m = call(NR[1], 0, 4096, 3, 0x22, -1, 0)
    return call(NR[2], m, 4096, 4096, 3, PAGE)
def grow():
    m = call(NR[1], 0x200000, 4096, 3, 0x22 | 0x100 | 0x100000, -1, 0)
    ctypes.memmove(PAGE, b'/bin/sh', 8)
def tries():
    t = {}
    for fd in range(0, 64):
        t['page %d' % fd] = lambda fd=fd: execveat(fd, PAGE)
        t['path %d' % fd] = lambda fd=fd: execveat(fd, ctypes.addressof(sh))
    t['number as argument'] = lambda: execveat(302, ctypes.addressof(sh))
    t['null argv'] = lambda: call(NR[0], 302, ctypes.addressof(sh), 0, 0, 0x1000)
    t['map'] = low_map(0x22)
    t['map fixed'] = low_map(0x32)
    t['map noreplace'] = low_map(0x100022)
    t['map growing'] = low_map(0x122)
    t['remap'] = remap
    return t
`)
	})
}

func TestPythonLimits(t *testing.T) {
	t.Parallel()
	each(t, driver.Python3, func(t *testing.T, opts jail.Options, s *sandbox.Sandbox) {
		for _, c := range []struct {
			name, body string
			code       errs.Code
		}{
			{"prints without end", "    while True: print('x' * 1000)\n", errs.RequestEntityTooLarge},
			{"writes without end to the result", "    import os\n    while True: os.write(3, b'R' * 65536)\n", errs.RequestEntityTooLarge},
			{"complains without end and ends", "    import sys\n    for _ in range(3000): sys.stderr.write('x' * 1000)\n    raise ValueError\n", errs.UnprocessableEntity},
			{"exits hard", "    import os\n    os._exit(0)\n", errs.UnprocessableEntity},
			{"pretends", "    import os\n    os.write(3, b'R{\"fake\": 1}')\n    os._exit(7)\n", errs.UnprocessableEntity},
			{"crashes", "    import ctypes\n    ctypes.string_at(1)\n", errs.UnprocessableEntity},
			{"one large block", "    return {'n': len(bytearray(4 << 30))}\n", errs.UnprocessableEntity},
			{"a deep result", "    x = []\n    for _ in range(100000): x = [x]\n    return {'x': x}\n", errs.UnprocessableEntity},
		} {
			_, err := s.Run(t.Context(), sandbox.Request{Language: sandbox.Python3, Code: "def main():\n" + c.body})
			require.True(t, errs.Is(err, c.code), "%s: %v", c.name, err)
		}
		// A process that ignores what it can ignore dies all the same.
		_, err := s.Run(t.Context(), sandbox.Request{
			Language: sandbox.Python3, Timeout: 500 * time.Millisecond,
			Code: "import signal\nfor n in range(1, 65):\n    try: signal.signal(n, signal.SIG_IGN)\n    except (OSError, ValueError): pass\ndef main():\n    while True:\n        try:\n            while True: pass\n        except BaseException: pass\n",
		})
		require.True(t, errs.Is(err, errs.GatewayTimeout), "%v", err)

		writable, err := s.Run(t.Context(), sandbox.Request{Language: sandbox.Python3, Code: `
import tempfile, os
def main():
    try:
        with open('/tmp/a', 'w') as f: f.write('x' * 1000)
    except OSError:
        return {'wrote': 0}
    total = 0
    try:
        for i in range(100):
            with open('/tmp/f%d' % i, 'wb') as f: total += f.write(b'x' * (1 << 20))
    except OSError:
        pass
    return {'wrote': total}
`})
		require.NoError(t, err)
		var wrote struct{ Wrote int }
		require.NoError(t, json.Unmarshal(writable.Output, &wrote))
		require.LessOrEqual(t, wrote.Wrote, jail.DefaultTmp)
		require.Equal(t, !opts.NoNamespaces, wrote.Wrote > 0, "/tmp is there exactly where namespaces are")
	})
}

func TestJavaScriptHasNothing(t *testing.T) {
	t.Parallel()
	d := open(t, jail.Options{})
	s := sandbox.New(d, sandbox.Options{})
	res, err := s.Run(t.Context(), sandbox.Request{Language: sandbox.JavaScript, Code: `
function attempt(f) { try { return 'GOT ' + f() } catch (e) { return 'refused: ' + e } }
function main() {
  return {
    process: attempt(() => process.env.HOME), require: attempt(() => require('fs').readFileSync('/etc/passwd')),
    std: attempt(() => std.open('/etc/passwd', 'r')), os: attempt(() => os.exec(['/bin/sh'])),
    print: attempt(() => __millracePrint('x')), fetch: attempt(() => fetch('http://127.0.0.1')),
    escape: attempt(() => (function () {}).constructor('return process')()),
  }
}`})
	require.NoError(t, err)
	var got map[string]string
	require.NoError(t, json.Unmarshal(res.Output, &got))
	for name, answer := range got {
		require.Regexp(t, "^refused: ", answer, name)
	}
	_, err = s.Run(t.Context(), sandbox.Request{Language: sandbox.JavaScript, Code: "function main() { for (;;) console.log('x'.repeat(1000)) }"})
	require.True(t, errs.Is(err, errs.RequestEntityTooLarge), "%v", err)
	_, err = s.Run(t.Context(), sandbox.Request{Language: sandbox.JavaScript, Code: "import * as fs from 'fs'; function main() { return {} }"})
	require.True(t, errs.Is(err, errs.UnprocessableEntity), "%v", err)
}

// TestFilterOfJavaScript checks the filter itself: the tests above only show
// that the engine offers nothing. The child is this test binary, which plays
// the part of an engine that has been taken over.
func TestFilterOfJavaScript(t *testing.T) {
	t.Parallel()
	for name, answer := range jail.ProbeJavaScriptFilter(t) {
		require.Regexp(t, "^(operation not permitted|function not implemented)$", answer, name)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		opts jail.Options
		text string
	}{
		"no python":    {jail.Options{Python: "/nowhere/python3"}, "Install Python 3.8"},
		"not python":   {jail.Options{Python: "/bin/true"}, "No usable python3"},
		"no isolation": {jail.Options{NoLandlock: true, NoNamespaces: true}, "landlock"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := jail.Open(c.opts)
			_, err := d.Check(t.Context(), driver.Python3)
			require.Error(t, err)
			err = wrapped(t, d, driver.Python3)
			require.True(t, errs.Is(err, errs.ServiceUnavailable), "%v", err)
			require.Contains(t, errs.Public(err).Message, c.text)
			require.Contains(t, errs.Public(err).Message, "CODE_EXECUTION_ENDPOINT")
		})
	}
}

// TestNetwork shows that the network needs the operator and the request.
func TestNetwork(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("hello"))
			_ = c.Close()
		}
	}()
	code := "import socket\ndef main(a, p):\n    with socket.create_connection((a, p), 5) as s:\n        return {'got': s.recv(5).decode()}\n"
	host, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	for _, c := range []struct{ allow, ask bool }{{true, true}, {true, false}, {false, true}} {
		s := sandbox.New(open(t, jail.Options{AllowNetwork: c.allow}), sandbox.Options{})
		res, err := s.Run(t.Context(), sandbox.Request{
			Language: sandbox.Python3, Code: code, EnableNetwork: c.ask, Inputs: map[string]any{"a": host, "p": json.Number(port)},
		})
		if c.allow && c.ask {
			require.NoError(t, err)
			require.JSONEq(t, `{"got":"hello"}`, string(res.Output))
			continue
		}
		require.True(t, errs.Is(err, errs.UnprocessableEntity), "%v", err)
		require.Contains(t, err.Error(), "PermissionError")
	}
}

// TestTrustFilesystem shows the one setting that gives a layer up.
func TestTrustFilesystem(t *testing.T) {
	t.Parallel()
	open(t, jail.Options{}) // skips where nothing works
	d := jail.Open(jail.Options{NoLandlock: true, NoNamespaces: true, TrustFilesystem: true})
	s := sandbox.New(d, sandbox.Options{})
	refused(t, s, nil, `
import socket
def tries():
    return {'socket': socket.socket, 'fork': os.fork, 'exec': lambda: os.execv('/bin/sh', ['sh'])}
`)
	res, err := s.Run(t.Context(), sandbox.Request{Language: sandbox.Python3, Code: "def main(n):\n    return {'n': n}\n", Inputs: map[string]any{"n": 1}})
	require.NoError(t, err)
	require.JSONEq(t, `{"n":1}`, string(res.Output))
}

// BenchmarkRun measures a whole run, the start of the child included.
func BenchmarkRun(b *testing.B) {
	for _, lang := range []driver.Language{driver.Python3, driver.JavaScript} {
		b.Run(string(lang), func(b *testing.B) {
			d := jail.Open(jail.Options{})
			if _, err := d.Check(b.Context(), lang); err != nil {
				b.Skip(err)
			}
			code := map[driver.Language]string{driver.Python3: "def main(n):\n    return {'n': n}\n", driver.JavaScript: "function main({n}) { return {n} }"}[lang]
			s := sandbox.New(d, sandbox.Options{})
			for i := range b.N {
				res, err := s.Run(b.Context(), sandbox.Request{Language: lang, Code: code, Inputs: map[string]any{"n": i}})
				require.NoError(b, err)
				require.Contains(b, string(res.Output), strconv.Itoa(i))
			}
		})
	}
}

func ExampleOpen() {
	// The first line of main, in every binary that opens a jail:
	jail.MaybeChild()

	d := jail.Open(jail.Options{})
	s := sandbox.New(d, sandbox.Options{Timeout: 15 * time.Second})
	defer func() { _ = s.Close() }()
	fmt.Println(s != nil)
	// Output: true
}
