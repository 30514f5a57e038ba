//go:build linux && (amd64 || arm64)

package jail

import (
	"encoding/json"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

const probeName = "millrace-filter-probe"

// MaybeProbe is the child's part of ProbeJavaScriptFilter.
func MaybeProbe() {
	if os.Args[0] != probeName {
		return
	}
	filter, err := javaScriptPolicy(unix.Getpid()).assemble()
	if err != nil {
		panic(err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		panic(err)
	}
	if err := load(filter, filterAllThreads); err != nil {
		panic(err)
	}
	answers := map[string]string{}
	try := func(name string, nr uintptr, args ...uintptr) {
		var a [6]uintptr
		copy(a[:], args)
		r, _, e := unix.RawSyscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5])
		if e != 0 {
			answers[name] = e.Error()
		} else {
			answers[name] = "allowed: " + string(rune('0'+r%10))
		}
	}
	_, _, e := unix.RawSyscall6(unix.SYS_OPENAT, ^uintptr(99), 0, 0, 0, 0, 0)
	answers["open"] = e.Error()
	try("socket", unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_STREAM, 0)
	try("socketpair", unix.SYS_SOCKETPAIR, unix.AF_UNIX, unix.SOCK_STREAM, 0, 0)
	try("execve", unix.SYS_EXECVE, 0, 0, 0)
	try("execveat", unix.SYS_EXECVEAT, 0, 0, 0)
	try("fork", unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0)
	try("vm without thread", unix.SYS_CLONE, unix.CLONE_VM, 0, 0, 0, 0)
	try("new namespace", unix.SYS_CLONE, unix.CLONE_VM|unix.CLONE_THREAD|unix.CLONE_SIGHAND|unix.CLONE_NEWUSER, 0, 0, 0, 0)
	try("clone3", unix.SYS_CLONE3, 0, 0)
	try("ptrace", unix.SYS_PTRACE, unix.PTRACE_ATTACH, uintptr(os.Getppid()))
	try("kill", unix.SYS_KILL, uintptr(os.Getppid()), 0)
	try("tgkill", unix.SYS_TGKILL, uintptr(os.Getppid()), uintptr(os.Getppid()), 0)
	try("setrlimit", unix.SYS_PRLIMIT64, 0, unix.RLIMIT_CPU, 1, 0)
	try("unlink", unix.SYS_UNLINKAT, 0, 0, 0)
	try("mount", unix.SYS_MOUNT, 0, 0, 0)
	try("bpf", unix.SYS_BPF, 0, 0, 0)
	try("io_uring", unix.SYS_IO_URING_SETUP, 1, 0)
	try("prctl", unix.SYS_PRCTL, unix.PR_SET_DUMPABLE, 1)
	try("setuid", unix.SYS_SETUID, 0)
	try("x32", 0x40000000|unix.SYS_GETPID)
	// Another thread is under the same filter.
	done := make(chan string)
	go func() {
		runtime.LockOSThread()
		_, _, e := unix.RawSyscall(unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_STREAM, 0)
		done <- e.Error()
	}()
	answers["socket of another thread"] = <-done
	raw, err := json.Marshal(answers)
	if err != nil {
		panic(err)
	}
	_, _ = os.Stdout.Write(raw)
	os.Exit(0)
}

// ProbeJavaScriptFilter starts this test binary again, which installs the
// filter and tries what a taken-over engine would; it returns the answers.
func ProbeJavaScriptFilter(t *testing.T) map[string]string {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{probeName}
	out, err := cmd.Output()
	require.NoError(t, err)
	var answers map[string]string
	require.NoError(t, json.Unmarshal(out, &answers))
	require.Greater(t, len(answers), 15)
	return answers
}
