// Package queues links what opens MILLRACE_QUEUE_URL in a cloud's build. The main package of
// a function imports it if the catalogue says that the function uses that; other
// binaries stay small and can reach nothing through it. Local drivers are always
// there (package assemble).
package queues
