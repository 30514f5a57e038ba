//go:build unix && !linux

package lambdaemu

import "syscall"

// sysProcAttr puts a process into its own group. Its life is tied to ours by
// the runtime API: a function that cannot reach it any more exits.
func sysProcAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
