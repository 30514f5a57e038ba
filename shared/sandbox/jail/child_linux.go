//go:build linux && (amd64 || arm64)

package jail

import (
	_ "embed" // the prelude
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"syscall"
	"unsafe"

	"github.com/millrace/millrace/shared/sandbox/driver"
	"github.com/millrace/millrace/shared/sandbox/internal/jsrun"
	"golang.org/x/sys/unix"
)

//go:embed prelude.py
var preludePython string

// MaybeChild must be the first call of main in every program that opens a jail.
// In a process that a jail started it runs the code and never returns; in every
// other process it does nothing.
func MaybeChild() {
	if len(os.Args) != 2 || os.Args[0] != childName {
		return
	}
	// Less than a second to live: collecting garbage would only start threads.
	debug.SetGCPercent(-1)
	err := childMain(os.Args[1])
	_, _ = io.WriteString(os.NewFile(controlFD, "control"), err.Error())
	os.Exit(1)
}

// childMain returns only on failure.
func childMain(orders string) error {
	var spec childSpec
	if err := json.Unmarshal([]byte(orders), &spec); err != nil {
		return fmt.Errorf("read the orders: %w", err)
	}
	unix.CloseOnExec(controlFD)
	if err := closeInherited(); err != nil {
		return err
	}
	if spec.Language == driver.JavaScript {
		return javaScriptChild(&spec)
	}
	return pythonChild(&spec)
}

// closeInherited closes what the parent had open without knowing it, such as
// descriptors that its own parent left. What this process opened itself closes
// on exec; what came through the exec does not, by which they are told apart.
func closeInherited() error {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return fmt.Errorf("list the descriptors: %w", err)
	}
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil || fd <= controlFD {
			continue
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			_ = unix.Close(fd)
		}
	}
	return nil
}

// pythonChild builds the jail around the calling thread and turns into python.
// Only this thread's rights matter: the others end with the exec.
func pythonChild(spec *childSpec) error {
	runtime.LockOSThread()
	unix.Umask(0o077)
	// 1. Everything that needs names or memory, while they are to be had.
	if spec.Namespaces != "" {
		if err := enterRoot(spec); err != nil {
			return err
		}
	}
	python, err := unix.Open(spec.Python, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", spec.Python, err)
	}
	argv, err := syscall.SlicePtrFromStrings([]string{spec.Python, "-I", "-S", "-B", "-X", "utf8=1", "-c", preludePython})
	if err != nil {
		return fmt.Errorf("prepare the arguments: %w", err)
	}
	envv := []*byte{nil}
	path, err := emptyPath()
	if err != nil {
		return err
	}
	filter, err := pythonPolicy(unix.Getpid(), python, path, spec.Network).assemble()
	if err != nil {
		return err
	}
	// 2. Rights.
	if err := dropPrivileges(spec); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no_new_privs: %w", err)
	}
	if spec.Landlock {
		if err := restrictFiles(spec); err != nil {
			return err
		}
	}
	// 3. Limits and the filter, last: from here on every call must be on the list.
	if err := setLimits(spec, spec.Memory); err != nil {
		return err
	}
	if err := load(filter, 0); err != nil {
		return err
	}
	_, _, errno := unix.RawSyscall6(unix.SYS_EXECVEAT, uintptr(python), path,
		uintptr(unsafe.Pointer(&argv[0])), uintptr(unsafe.Pointer(&envv[0])), unix.AT_EMPTY_PATH, 0)
	return fmt.Errorf("start %s: %w", spec.Python, errno)
}

// javaScriptChild evaluates the code in this process. The engine starts before
// the filter, the user's code after it.
func javaScriptChild(spec *childSpec) error {
	raw, err := io.ReadAll(os.Stdin)
	if err != nil {
		return fmt.Errorf("read the code: %w", err)
	}
	var j job
	if err := json.Unmarshal(raw, &j); err != nil {
		return fmt.Errorf("read the code: %w", err)
	}
	eng, err := jsrun.New(jsrun.Limits{Memory: spec.Memory, Stdout: spec.MaxStdout})
	if err != nil {
		return err
	}
	used, err := addressSpace()
	if err != nil {
		return err
	}
	filter, err := javaScriptPolicy(unix.Getpid()).assemble()
	if err != nil {
		return err
	}
	if spec.UID != 0 {
		// Of all threads: unlike python, this process lives on with them.
		if err := errors.Join(syscall.Setgroups([]int{}), syscall.Setresgid(spec.UID, spec.UID, spec.UID), syscall.Setresuid(spec.UID, spec.UID, spec.UID)); err != nil {
			return fmt.Errorf("drop to uid %d: %w", spec.UID, err)
		}
	}
	runtime.LockOSThread()
	if err := dieWithParent(); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no_new_privs: %w", err)
	}
	// The engine's own limit holds the heap; this one holds what escapes it.
	if err := setLimits(spec, used+2*spec.Memory+256<<20); err != nil {
		return err
	}
	if err := load(filter, filterAllThreads); err != nil {
		return err
	}
	debug.SetGCPercent(100)
	return answer(eng.Run(j.Code, j.Inputs))
}

// answer writes a result of JavaScript and ends the process.
func answer(res *driver.Response, err error) error {
	out := os.NewFile(resultFD, "result")
	tag, code, text := "R", 0, ""
	var de *driver.Error
	switch {
	case err == nil:
		text = string(res.Output)
		if _, err := os.Stdout.WriteString(res.Stdout); err != nil {
			return fmt.Errorf("write the printed text: %w", err)
		}
	case errors.As(err, &de) && de.Kind == driver.TooLarge:
		tag, code, text = "T", 1, de.Message
	default:
		tag, code, text = "E", 1, err.Error()
	}
	if _, err := out.WriteString(tag + text); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	os.Exit(code)
	return nil
}

// dropPrivileges takes the capabilities of this thread and, from root, its uid.
func dropPrivileges(spec *childSpec) error {
	for c := uintptr(0); c <= 63; c++ {
		// Without CAP_SETPCAP there is nothing to drop; past the last one is EINVAL.
		_ = unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0)
	}
	if spec.UID != 0 {
		if _, _, e := unix.RawSyscall(unix.SYS_SETGROUPS, 0, 0, 0); e != 0 {
			return fmt.Errorf("drop the groups: %w", e)
		}
		id := uintptr(spec.UID)
		if _, _, e := unix.RawSyscall(unix.SYS_SETRESGID, id, id, id); e != 0 {
			return fmt.Errorf("drop to gid %d: %w", spec.UID, e)
		}
		if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, id, id, id); e != 0 {
			return fmt.Errorf("drop to uid %d: %w", spec.UID, e)
		}
	}
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capset(&hdr, &data[0]); err != nil {
		return fmt.Errorf("drop the capabilities: %w", err)
	}
	return dieWithParent()
}

// dieWithParent asks again for what a change of credentials has cleared.
func dieWithParent() error {
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("ask to die with the parent: %w", err)
	}
	return nil
}

func setLimits(spec *childSpec, memory int64) error {
	for _, l := range []struct {
		what  int
		limit uint64
	}{
		{unix.RLIMIT_CORE, 0},
		{unix.RLIMIT_NOFILE, 64},
		{unix.RLIMIT_FSIZE, uint64(max(spec.Tmp, 1<<20))},
		{unix.RLIMIT_CPU, uint64(spec.CPU)},
		{unix.RLIMIT_AS, uint64(memory)},
	} {
		lim := unix.Rlimit{Cur: l.limit, Max: l.limit}
		if _, _, e := unix.RawSyscall6(unix.SYS_PRLIMIT64, 0, uintptr(l.what), uintptr(unsafe.Pointer(&lim)), 0, 0, 0); e != 0 {
			return fmt.Errorf("set limit %d: %w", l.what, e)
		}
	}
	return nil
}

// addressSpace returns what this process has reserved, in bytes.
func addressSpace() (int64, error) {
	raw, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, fmt.Errorf("read the address space: %w", err)
	}
	var pages int64
	if _, err := fmt.Sscan(string(raw), &pages); err != nil {
		return 0, fmt.Errorf("read the address space: %w", err)
	}
	return pages * int64(os.Getpagesize()), nil
}
