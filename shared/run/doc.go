// Package run is the durable run protocol: it starts runs, continues them where
// another process left them, shows them to clients, and stops them.
//
// What it promises: a client sees an event only when it is durable (live text
// excepted, which is announced when it has to start again); a finished step is
// never done again, whatever process is killed at whatever moment; only the
// holder of a run's lease can write its journal; a run outlives its client.
//
// What clients of the package need:
//
//	s := run.New(run.Deps{Store, Stream, Types, Graphs, Clock, Sender}, run.Options{})
//	res, err := s.Start(ctx, run.StartRequest{...}, sink)   // runs here; sink may be nil
//	res, err := s.Join(ctx, tenantID, runID, run.JoinFrom{LastEventID: id}, sink)
//	err := s.Continue(ctx, tenantID, runID)                  // what a queue message calls
//	err := s.Stop(ctx, tenantID, run.TaskID(taskID), run.StopReasonUser)
//	view, err := s.Get(ctx, tenantID, runID)                 // request and status
//	n, err := s.Tick(ctx)                                    // each minute
//	n, err := s.ExpireOwner(ctx, owner)                      // after a restart, then Tick
//	s.Wait(ctx)                                              // before exit or freeze
//
// A Sink gets Items: an id for SSE and a workflow.Event to render. The event's
// Type decides the contract's event: text is text_chunk or message, reasoning is
// reasoning_chunk (Final is is_final), text_replaced is text_replace or
// message_replace with reason "restarted". After run_finished nothing follows.
//
// It renders no JSON and knows no HTTP: that is the edge's. It does not decide
// what a node does or which is next: that is package engine's. START HERE:
// start.go for the life of a run, relay.go for what a client sees.
package run
