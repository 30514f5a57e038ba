//go:build !unix

package lambdaemu

import (
	"os"
	"os/exec"
)

type spawner struct{}

func newSpawner() *spawner { return &spawner{} }

func (*spawner) start(cmd *exec.Cmd) error { return cmd.Start() }
func (*spawner) close()                    {}

// There are neither groups nor gentle signals here.

func killGroup(p *os.Process) { _ = p.Kill() }
func terminate(p *os.Process) { _ = p.Kill() }
func pause(*os.Process)       {}
func resume(*os.Process)      {}
