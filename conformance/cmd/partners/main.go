// Command partners serves the model and the web server that recorded
// conversations talk to, on fixed ports, for runs of other runners and for
// trying things by hand:
//
//	go run ./conformance/cmd/partners -mock-port 9321 -echo-port 9322
//
// It is a test partner: nothing that ships starts it. What it answers is
// described in shared/mockmodel and shared/mockecho.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/millrace/millrace/shared/mockecho"
	"github.com/millrace/millrace/shared/mockmodel"
)

func main() {
	bind := flag.String("bind", "127.0.0.1", "address to listen on")
	mock := flag.Int("mock-port", 9321, "port of the model")
	echo := flag.Int("echo-port", 9322, "port of the web server")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	results := make(chan error, 2)
	go func() { results <- serve(ctx, *bind, *mock, "/v1", mockmodel.New(nil)) }()
	go func() { results <- serve(ctx, *bind, *echo, "", mockecho.New(nil)) }()
	if err := <-results; err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:gocritic // nothing is left to undo
	}
}

// partner is one of the two servers.
type partner interface {
	Serve(ctx context.Context, l net.Listener) error
}

func serve(ctx context.Context, bind string, port int, path string, p partner) error {
	l, err := net.Listen("tcp", net.JoinHostPort(bind, strconv.Itoa(port)))
	if err != nil {
		return err
	}
	fmt.Println("http://" + l.Addr().String() + path)
	return p.Serve(ctx, l)
}
