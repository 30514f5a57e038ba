// Package lambdaemu runs real Lambda function binaries on this machine: it
// speaks the Lambda Runtime API to processes which it starts on demand, and
// puts a gateway, queues and a scheduler in front, all as infra/template.yaml
// describes them. What passes here is what deploys.
//
// As on Lambda, an instance serves one event at a time, more are started while
// all are busy, idle ones are stopped after a while, a crash or a time-out
// costs that one event, and answers are buffered up to 6 MB or streamed. What the
// gateway answers by itself, it says in the template's words. With Options.Freeze
// a process has no processor time between events.
//
// It is not a security boundary and does not check IAM policies, memory limits
// or reserved concurrency: events wait where Lambda would throttle.
//
// START HERE: New in emulator.go. Then runtimeapi.go (the protocol), pool.go and
// instance.go (processes), gateway.go (with refusal.go), queue.go and schedule.go (triggers),
// template.go (reading the template) and build.go (making the binaries).
package lambdaemu
