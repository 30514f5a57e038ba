//go:build linux && (amd64 || arm64)

package jail

import (
	"errors"
	"fmt"
	"strings"
	"unsafe"

	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/sys/unix"
)

const (
	filterAllThreads = unix.SECCOMP_FILTER_FLAG_TSYNC

	// lowPage is where emptyPath lies. Code must never be able to map it, so
	// everything below lowEnd is closed for mmap.
	lowPage = 0x10000
	lowEnd  = 0x200000
)

// runtimeCalls are what a program needs that computes and writes to open descriptors.
const runtimeCalls = `read write readv writev close fstat lseek pread64 brk mprotect munmap madvise
	rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait sigaltstack restart_syscall
	futex futex_time64 set_robust_list set_tid_address rseq membarrier
	clock_gettime clock_getres clock_nanosleep nanosleep gettimeofday time times
	getpid getppid gettid getuid geteuid getgid getegid getgroups getpgrp getpgid getsid getresuid getresgid
	sched_yield sched_getaffinity getcpu getrandom uname sysinfo getrusage getrlimit
	poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2
	eventfd eventfd2 pipe pipe2 exit exit_group`

// fileCalls name files. The folders that they reach are another layer's matter.
const fileCalls = `open openat creat stat lstat newfstatat fstatfs statfs statx access faccessat faccessat2
	readlink readlinkat getdents getdents64 getcwd chdir fchdir rename renameat renameat2 mkdir mkdirat rmdir
	unlink unlinkat ftruncate truncate fsync fdatasync flock fallocate fadvise64 utimensat utimes chmod fchmod fchmodat
	pwrite64 preadv pwritev copy_file_range sendfile dup dup2 dup3 umask
	alarm setitimer getitimer pause timerfd_create timerfd_settime timerfd_gettime
	sendto recvfrom sendmsg recvmsg shutdown getsockopt setsockopt getsockname getpeername`

// networkCalls are added for code that may use the network.
const networkCalls = `connect bind listen accept accept4 sendmmsg recvmmsg`

// noProcessCalls answer ENOSYS, from which libraries conclude that there are no threads.
const noProcessCalls = `clone3 fork vfork openat2`

// emptyPath returns the address of an empty string at a place that the code
// which runs later cannot use. See pythonPolicy.
func emptyPath() (uintptr, error) {
	p, _, e := unix.RawSyscall6(unix.SYS_MMAP, lowPage, uintptr(unix.Getpagesize()),
		unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_FIXED_NOREPLACE, ^uintptr(0), 0)
	if e != 0 {
		return 0, fmt.Errorf("map the page of the empty path: %w", e)
	}
	if p != lowPage {
		return 0, errors.New("map the page of the empty path: the kernel chose another address")
	}
	return p, nil
}

// pythonPolicy is the filter of a child that turns into python. The filter is
// installed before the exec, so it must let that one exec through and no other:
//
// A filter cannot read strings, but it sees where they are. The one exec names
// its program by descriptor and an empty path at a fixed low address. The exec
// itself discards that page, and the filter keeps the code from ever mapping
// anything so low again: any further exec that the filter lets through names a
// path that cannot be read (EFAULT).
func pythonPolicy(pid, python int, path uintptr, network bool) policy {
	allow := append(calls(runtimeCalls), calls(fileCalls)...)
	const growsDown = unix.MAP_GROWSDOWN
	with := []rule{
		when("execveat", eq(0, uint64(python)), eq(1, uint64(path)), eq(4, unix.AT_EMPTY_PATH)),
		when("mmap", eq(0, 0), unset(3, growsDown)),
		when("mmap", atLeast(0, lowEnd), unset(3, growsDown)),
		when("mremap", unset(3, unix.MREMAP_FIXED)),
		when("prlimit64", eq(2, 0)),
		// A pair of datagram sockets could send to sockets of others.
		when("socketpair", eq(0, unix.AF_UNIX), set(1, unix.SOCK_STREAM), unset(1, 0xf&^unix.SOCK_STREAM)),
		when("tgkill", eq(0, uint64(pid))),
		when("ioctl", eq(1, unix.TCGETS)), when("ioctl", eq(1, unix.TIOCGWINSZ)),
		when("ioctl", eq(1, fioclex)), when("ioctl", eq(1, fionbio)), when("ioctl", eq(1, fionread)),
		when("fcntl", eq(1, unix.F_GETFD)), when("fcntl", eq(1, unix.F_SETFD)), when("fcntl", eq(1, unix.F_GETFL)),
		when("fcntl", eq(1, unix.F_SETFL)), when("fcntl", eq(1, unix.F_DUPFD)), when("fcntl", eq(1, unix.F_DUPFD_CLOEXEC)),
	}
	if network {
		allow = append(allow, calls(networkCalls)...)
		for _, family := range []uint64{unix.AF_INET, unix.AF_INET6} {
			with = append(with, when("socket", eq(0, family)))
		}
	}
	return policy{allow: allow, when: append(with, threadBase()...), nosys: calls(noProcessCalls + " clone")}
}

// javaScriptPolicy is the filter of a child that evaluates JavaScript itself:
// memory, time, its open descriptors and threads of the Go runtime.
func javaScriptPolicy(pid int) policy {
	const (
		needed  = unix.CLONE_VM | unix.CLONE_THREAD | unix.CLONE_SIGHAND
		useful  = unix.CLONE_FS | unix.CLONE_FILES | unix.CLONE_SYSVSEM | unix.CLONE_SETTLS | unix.CLONE_PARENT_SETTID | unix.CLONE_CHILD_CLEARTID | unix.CLONE_DETACHED
		refused = ^uint64(needed | useful)
	)
	return policy{
		allow: calls(runtimeCalls + " mmap mremap"),
		when: append(threadBase(),
			when("clone", set(0, unix.CLONE_VM), set(0, unix.CLONE_THREAD), set(0, unix.CLONE_SIGHAND), unset(0, refused)),
			when("tgkill", eq(0, uint64(pid))),
			when("prlimit64", eq(2, 0)),
			when("fcntl", eq(1, unix.F_GETFL)),
		),
		nosys: calls(noProcessCalls),
	}
}

// threadBase lets a thread place its local storage. The call's other uses, such
// as mapping the vDSO at an address of the caller's choice, stay closed.
func threadBase() []rule {
	const setFS, getFS = 0x1002, 0x1003
	return []rule{when("arch_prctl", eq(0, setFS)), when("arch_prctl", eq(0, getFS))}
}

// ioctl requests that x/sys does not name on every platform.
const (
	fioclex  = 0x5451
	fionbio  = 0x5421
	fionread = 0x541b
)

func calls(list string) []string { return strings.Fields(list) }

// rule allows one system call when all conditions hold. Several rules may name
// the same call.
type rule struct {
	name  string
	conds []cond
}

// cond is a condition on one 64-bit argument.
type cond struct {
	arg   uint32
	op    op
	value uint64
}

type op int

const (
	equal op = iota
	notBelow
	allBits // every bit of value is set
	noBits  // no bit of value is set
)

func when(name string, conds ...cond) rule { return rule{name, conds} }

func eq(arg uint32, v uint64) cond      { return cond{arg, equal, v} }
func atLeast(arg uint32, v uint64) cond { return cond{arg, notBelow, v} }
func set(arg uint32, v uint64) cond     { return cond{arg, allBits, v} }
func unset(arg uint32, v uint64) cond   { return cond{arg, noBits, v} }

// policy is an allow-list: what it does not name answers EPERM.
type policy struct {
	allow []string // always
	when  []rule   // on conditions
	nosys []string // answered by ENOSYS
}

const (
	offsetNr   = 0
	offsetArch = 4
	offsetArgs = 16

	retAllow = unix.SECCOMP_RET_ALLOW
	retEPERM = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	retNoSys = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
	x32Bit   = 0x40000000
)

// assemble makes a BPF program of the policy. Every rule loads the number of
// the call itself: after the conditions of another rule the register holds an
// argument, which the code chooses.
func (p policy) assemble() ([]unix.SockFilter, error) {
	info, err := arch.GetInfo("")
	if err != nil {
		return nil, fmt.Errorf("assemble the filter: %w", err)
	}
	var prog []unix.SockFilter
	stmt := func(code uint16, k uint32) { prog = append(prog, unix.SockFilter{Code: code, K: k}) }
	jump := func(code uint16, k uint32, t, f uint8) {
		prog = append(prog, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_K | code, K: k, Jt: t, Jf: f})
	}
	const load, ret = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, unix.BPF_RET | unix.BPF_K
	stmt(load, offsetArch)
	jump(unix.BPF_JEQ, uint32(info.ID), 1, 0)
	stmt(ret, unix.SECCOMP_RET_KILL_PROCESS)
	stmt(load, offsetNr)
	jump(unix.BPF_JGE, x32Bit, 0, 1) // on amd64 another calling convention, elsewhere no call at all
	stmt(ret, retNoSys)
	for _, list := range []struct {
		names []string
		ret   uint32
	}{{p.allow, retAllow}, {p.nosys, retNoSys}} {
		for _, name := range list.names {
			if nr, ok := info.SyscallNames[name]; ok { // architectures lack the calls of others
				jump(unix.BPF_JEQ, uint32(nr), 0, 1) //nolint:gosec // small
				stmt(ret, list.ret)
			}
		}
	}
	for _, r := range p.when {
		nr, ok := info.SyscallNames[r.name]
		if !ok {
			continue
		}
		body := r.body()
		stmt(load, offsetNr)
		jump(unix.BPF_JEQ, uint32(nr), 0, uint8(len(body))) //nolint:gosec // small
		prog = append(prog, body...)
	}
	stmt(ret, retEPERM)
	if len(prog) > 4096 {
		return nil, errors.New("assemble the filter: too long")
	}
	return prog, nil
}

// body returns the test of a rule's conditions, which leaves at its end unless
// all of them hold.
func (r rule) body() []unix.SockFilter {
	type test struct {
		off  uint32
		code uint16
		k    uint32
		want bool // what the jump must say to go on
		skip int  // tests that are settled when it says so
	}
	var tests []test
	for _, c := range r.conds {
		lo, hi := offsetArgs+8*c.arg, offsetArgs+8*c.arg+4 // little endian
		vlo, vhi := uint32(c.value), uint32(c.value>>32)   //nolint:gosec // halves
		switch c.op {
		case equal:
			tests = append(tests, test{hi, unix.BPF_JEQ, vhi, true, 0}, test{lo, unix.BPF_JEQ, vlo, true, 0})
		case notBelow: // of values below 2^32: the upper half settles it unless it is 0
			tests = append(tests, test{hi, unix.BPF_JGT, 0, true, 1}, test{lo, unix.BPF_JGE, vlo, true, 0})
		case allBits: // of single bits in the lower half
			tests = append(tests, test{lo, unix.BPF_JSET, vlo, true, 0})
		case noBits:
			tests = append(tests, test{hi, unix.BPF_JSET, vhi, false, 0}, test{lo, unix.BPF_JSET, vlo, false, 0})
		}
	}
	var out []unix.SockFilter
	end := 2*len(tests) + 1
	for i, t := range tests {
		out = append(out, unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: t.off})
		leave := uint8(end - (2*i + 2)) //nolint:gosec // small
		pass, fail := uint8(0), leave
		if t.skip > 0 { // this test alone may settle the condition; otherwise the next one does
			pass, fail = uint8(2*t.skip), 0 //nolint:gosec // small
		}
		if !t.want {
			pass, fail = fail, pass
		}
		out = append(out, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_K | t.code, K: t.k, Jt: pass, Jf: fail})
	}
	return append(out, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: retAllow})
}

// load installs a filter. With filterAllThreads a positive answer names a
// thread that could not take it, which is a failure too.
func load(filter []unix.SockFilter, flags uintptr) error {
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]} //nolint:gosec // some hundred instructions
	r, _, e := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&prog)))
	if e != 0 {
		return fmt.Errorf("install the seccomp filter: %w", e)
	}
	if r != 0 {
		return fmt.Errorf("install the seccomp filter: thread %d did not take it", r)
	}
	return nil
}
