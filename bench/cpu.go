package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// cpu is processor time that was used: unlike the time on the clock it hardly
// depends on what else the machine does.
type cpu struct{ bench, server, database time.Duration }

// cpu reads the processor time of the processes under test; all zero where
// there is no /proc.
func (s *server) cpu() cpu {
	c := cpu{bench: processorTime(os.Getpid())}
	if s.cmd != nil && s.cmd.Process != nil {
		c.server = processorTime(s.cmd.Process.Pid)
	}
	postmaster := s.pg.PID()
	c.database = processorTime(postmaster)
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err == nil && parent(pid) == postmaster {
			c.database += processorTime(pid)
		}
	}
	return c
}

func (c cpu) minus(d cpu) cpu {
	return cpu{bench: c.bench - d.bench, server: c.server - d.server, database: c.database - d.database}
}

func (c cpu) plus(d cpu) cpu {
	return cpu{bench: c.bench + d.bench, server: c.server + d.server, database: c.database + d.database}
}

// per shows the time used for each of n things.
func (c cpu) per(n int) string {
	if n == 0 || c == (cpu{}) {
		return "unknown"
	}
	us := func(d time.Duration) int64 { return (d / time.Duration(n)).Microseconds() }
	return fmt.Sprintf("%d us (server %d, database %d, client %d)", us(c.bench+c.server+c.database), us(c.server), us(c.database), us(c.bench))
}

// statFields are the fields of /proc/PID/stat behind the command's name, which
// may hold anything.
func statFields(pid int) []string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	return strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
}

func parent(pid int) int {
	f := statFields(pid)
	if len(f) < 2 {
		return 0
	}
	n, _ := strconv.Atoi(f[1])
	return n
}

// processorTime counts a process and its children that have ended, in the
// kernel's ticks of 10 ms.
func processorTime(pid int) time.Duration {
	f := statFields(pid)
	if len(f) < 15 {
		return 0
	}
	var ticks int64
	for _, v := range f[11:15] { // utime, stime, cutime, cstime
		n, _ := strconv.ParseInt(v, 10, 64)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
