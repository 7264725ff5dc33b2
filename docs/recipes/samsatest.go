// Package samsatest starts a Samsa broker for a test: the program `samsa`, on a free port with nothing on disk.
//
//	func TestOrders(t *testing.T) {
//		client, err := kgo.NewClient(kgo.SeedBrokers(samsatest.Start(t)))
//
// It needs nothing but the standard library and `samsa` on the PATH; the variable SAMSA names another program.
package samsatest

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"syscall"
	"testing"
	"time"
)

const (
	startTimeout = 30 * time.Second
	stopTimeout  = 10 * time.Second
)

var ready = regexp.MustCompile(` ready on (\S+) `)

// Start starts a broker that ends with the test, and answers its address. The arguments go to `samsa serve`; without any, everything is
// kept in memory. If the broker does not start, the test ends with what it logged.
func Start(t testing.TB, arguments ...string) string {
	t.Helper()
	program := os.Getenv("SAMSA")
	if program == "" {
		program = "samsa"
	}
	if len(arguments) == 0 {
		arguments = []string{"--storage", "memory"}
	}
	command := exec.Command(program, append([]string{"serve", "--listen", "127.0.0.1:0", "--http", "off"}, arguments...)...)
	var log bytes.Buffer
	command.Stderr = &log
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatalf("cannot start %s: %v", program, err)
	}
	address := make(chan string, 1)
	ended := make(chan struct{})
	go func() {
		lines := bufio.NewScanner(output)
		for lines.Scan() {
			if found := ready.FindStringSubmatch(lines.Text()); found != nil {
				address <- found[1]
			}
		}
		command.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		command.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(stopTimeout):
			command.Process.Kill()
		}
	})
	select {
	case found := <-address:
		return found
	case <-ended:
		t.Fatalf("the broker did not start:\n%s", log.String())
	case <-time.After(startTimeout):
		t.Fatalf("the broker was not ready within %v", startTimeout)
	}
	return ""
}
