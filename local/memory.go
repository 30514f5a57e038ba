package main

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"github.com/millrace/millrace/shared/clock"
)

const (
	// heapRoom is how much memory may be spent to collect garbage less often.
	heapRoom = 96 << 20
	// leastGC and mostGC bound what the heap may grow by between collections, in
	// percent of what is in use.
	leastGC, mostGC = 100, 400
	// heapWatch is how often that is set anew.
	heapWatch = time.Second
)

// spendMemory lets a small heap grow more between collections: a server whose
// data in use is some megabytes otherwise collects many times a second. It ends
// with ctx, and does nothing when the user has chosen a value with GOGC.
func spendMemory(ctx context.Context, clk clock.Clock) {
	have := debug.SetGCPercent(mostGC)
	if have != leastGC {
		debug.SetGCPercent(have)
		return
	}
	defer debug.SetGCPercent(leastGC)
	used := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	for now := mostGC; clock.Sleep(ctx, clk, heapWatch) == nil; {
		metrics.Read(used)
		if next := gcPercent(used[0].Value.Uint64()); next != now {
			now = next
			debug.SetGCPercent(now)
		}
	}
}

// gcPercent is the growth that heapRoom allows when so many bytes are in use, in
// steps so that it changes rarely.
func gcPercent(used uint64) int {
	const step = 50
	return int(min(mostGC, max(leastGC, 100*heapRoom/max(used, 1)/step*step)))
}
