package lambdaemu

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/millrace/millrace/shared/errs"
)

// Builder makes the binaries that an Emulator runs, with the flags that
// infra/build.mk uses for deployment, but for this machine's processor.
type Builder struct {
	// Root is the module's folder; Dir gets the binaries.
	Root, Dir string
	// Env is the environment of the go command; it needs PATH and HOME.
	Env []string
	// Parallel bounds how many packages are compiled at a time; 0 means 2.
	Parallel int
	// Progress is told what is going on; nil is silence.
	Progress func(line string)
}

// Build makes one binary per function, named like its folder. What is up to
// date already costs well under a second.
func (b Builder) Build(ctx context.Context, functions []Function) error {
	if b.Parallel == 0 {
		b.Parallel = 2
	}
	if b.Progress == nil {
		b.Progress = func(string) {}
	}
	if err := os.MkdirAll(b.Dir, 0o755); err != nil {
		return errs.Wrap(errs.Internal, err, "cannot make the folder for function binaries "+b.Dir)
	}
	dir, err := filepath.Abs(b.Dir)
	if err != nil {
		return errs.Wrap(errs.Internal, err, "cannot find the folder for function binaries "+b.Dir)
	}
	args := []string{
		// install, because build -o links again even what has not changed
		"install", "-v", "-trimpath", "-tags", "lambda.norpc,aws,grpcnotrace", "-ldflags", "-s -w", "-p", strconv.Itoa(b.Parallel),
	}
	for _, f := range functions {
		if _, err := os.Stat(filepath.Join(b.Root, "functions", f.Folder, "main.go")); err != nil {
			return fmt.Errorf("the template names %s, but functions/%s has no main.go: %w", f.LogicalID, f.Folder, err)
		}
		args = append(args, "./functions/"+f.Folder)
	}
	b.Progress(fmt.Sprintf("building %d functions", len(functions)))
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = b.Root
	// What a developer has set for cross-compiling does not hold for this machine.
	cmd.Env = append(append([]string{}, b.Env...), "CGO_ENABLED=0", "GOBIN="+dir, "GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH)
	pipe, err := cmd.StderrPipe()
	if err != nil {
		return errs.Wrap(errs.Internal, err, "cannot start the go command")
	}
	if err := cmd.Start(); err != nil {
		return errs.Wrap(errs.Internal, err, "cannot start the go command; --lambda needs Go on the PATH")
	}
	var problems bytes.Buffer
	lines := bufio.NewScanner(pipe)
	for lines.Scan() {
		// -v prints the import path of each package it compiles, errors have blanks.
		if line := lines.Text(); strings.ContainsAny(line, " :#") {
			problems.WriteString(line + "\n")
		} else {
			b.Progress("compiled " + line)
		}
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("go install: %w\n%s", err, problems.String())
	}
	return nil
}
