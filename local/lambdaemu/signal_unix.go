//go:build unix

package lambdaemu

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// spawner starts processes from one operating system thread that lives as long
// as the emulator: Linux sends the parent-death signal when the starting thread
// ends, not the process.
type spawner struct{ jobs chan func() }

func newSpawner() *spawner {
	s := &spawner{jobs: make(chan func())}
	go func() {
		runtime.LockOSThread()
		for job := range s.jobs {
			job()
		}
	}()
	return s
}

func (s *spawner) start(cmd *exec.Cmd) error {
	cmd.SysProcAttr = sysProcAttr()
	result := make(chan error, 1)
	s.jobs <- func() { result <- cmd.Start() }
	return <-result
}

func (s *spawner) close() { close(s.jobs) }

// Signals go to the whole group; a process that is gone already is no error.

func killGroup(p *os.Process) { _ = syscall.Kill(-p.Pid, syscall.SIGKILL) }
func terminate(p *os.Process) { _ = syscall.Kill(-p.Pid, syscall.SIGTERM) }
func pause(p *os.Process)     { _ = syscall.Kill(-p.Pid, syscall.SIGSTOP) }
func resume(p *os.Process)    { _ = syscall.Kill(-p.Pid, syscall.SIGCONT) }
