// Package jail runs user code in a child process of this program that has given
// up every right it does not need. It is a driver of package sandbox.
//
// The parent starts its own executable again; MaybeChild, which every program
// that opens a jail must call first thing in main, recognises the child. So a
// function binary needs no helper beside it. What a child is:
//
//   - Python: the child builds the jail around itself and becomes python3
//     (with -I -S: the standard library, no site packages).
//   - JavaScript: the child evaluates the code itself with an embedded engine;
//     no node is needed.
//
// # Layers and what they need
//
//   - no_new_privs and a seccomp allow-list (Linux, amd64 or arm64): system calls
//     that are not on the list fail. No socket, no signal to others, no ptrace,
//     no new process; execve is dead once the interpreter runs; threads answer
//     ENOSYS so that libraries fall back. JavaScript has no open either.
//   - landlock (Linux 5.13, enabled): Python may open nothing but its runtime.
//   - mount, pid, network, ipc and uts namespaces (root with CAP_SYS_ADMIN, or
//     unprivileged user namespaces): a root folder that holds the runtime
//     read-only and a small /tmp in memory; without them nothing is writable.
//   - resource limits: memory, processor time, file size, open files; the wall
//     clock is kept by the parent, which kills the child's whole group.
//   - an empty environment, an own session, death together with the parent, and
//     uid 65534 without capabilities when the parent is root.
//
// The minimum accepted for JavaScript is seccomp; for Python seccomp and one of
// landlock and namespaces. Where the minimum or python3 is missing, Run refuses
// with a message that says what to do. There is no fallback to an unjailed run.
// Options.TrustFilesystem drops the need for landlock or namespaces and is meant
// for a function whose own image and role hold nothing worth reading.
//
// # AWS Lambda
//
// Lambda gives neither user namespaces nor landlock, and provided.al2023 has no
// python3. JavaScript works as it is if seccomp filters may be installed there
// (Check tells). For Python either point the remote driver at a sandbox service,
// or run the code-python function with a layer that brings python3, a role
// without rights, no secrets in its environment, and TrustFilesystem.
//
// # Network
//
// Code has no network unless the operator sets Options.AllowNetwork and the
// request asks for it. The addresses it may reach are then the platform's to
// restrict: the jail does not filter them.
//
// START HERE: jail.go for a run as the parent sees it, child_linux.go for the
// order in which a child loses its rights.
package jail
