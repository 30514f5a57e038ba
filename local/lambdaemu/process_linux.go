package lambdaemu

import "syscall"

// sysProcAttr puts a process into its own group and ties its life to ours.
func sysProcAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
