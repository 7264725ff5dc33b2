package example

import (
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"example/samsatest"
)

// What a user of docs/recipes/samsatest.go would write, with as much of a client as the standard library has: it asks for API versions.
func TestTheBrokerAnswers(t *testing.T) {
	address := samsatest.Start(t)
	connection, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	connection.SetDeadline(time.Now().Add(time.Minute))
	// Length, key 18, version 0, correlation id 7, no client id.
	if _, err := connection.Write([]byte{0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 255, 255}); err != nil {
		t.Fatal(err)
	}
	head := make([]byte, 10)
	if _, err := io.ReadFull(connection, head); err != nil {
		t.Fatal(err)
	}
	if binary.BigEndian.Uint32(head[4:]) != 7 || binary.BigEndian.Uint16(head[8:]) != 0 {
		t.Fatalf("not the answer: %v", head)
	}
}

func TestEachTestHasItsOwn(t *testing.T) {
	if samsatest.Start(t) == samsatest.Start(t, "--storage", "memory", "--set", "num.partitions=3") {
		t.Fatal("the same address twice")
	}
}
