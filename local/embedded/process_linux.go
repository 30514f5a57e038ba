package embedded

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

// processAttributes makes a child that runs as the account, hears no Ctrl-C of
// the terminal (the owner of [Postgres] stops it in its own time), and is told
// to shut down by the kernel when the thread that started it ends.
func processAttributes(a account) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGINT}
	if a.switched {
		attr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}
	return attr
}

// isPostmaster reports whether a process is the server of the data folder,
// rather than a stranger who was given the same number since.
func isPostmaster(pid int, data string) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	// "47 (postgres) S ...": Z and X are processes that have ended but whose
	// parent has not looked yet.
	_, rest, _ := strings.Cut(string(stat), "(postgres) ")
	if rest == "" || rest[0] == 'Z' || rest[0] == 'X' {
		return false
	}
	cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
	return err != nil || cwd == data // unreadable: better to think it ours than to start a second one
}
