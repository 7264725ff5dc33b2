// Package driver is the command loop shared by the Go client programs: see ../../README.md for the contract.
package driver

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"sync"
	"time"
)

// Timeout bounds every command except a member's run.
const Timeout = 30 * time.Second

// Header is a header's name and value; a nil value is a null.
type Header struct {
	Name  string
	Value []byte
}

// MarshalJSON writes the pair [name, base64 value].
func (h Header) MarshalJSON() ([]byte, error) { return json.Marshal([2]any{h.Name, h.Value}) }

// UnmarshalJSON reads the pair [name, base64 value].
func (h *Header) UnmarshalJSON(text []byte) error {
	var pair [2]json.RawMessage
	if err := json.Unmarshal(text, &pair); err != nil {
		return err
	}
	if err := json.Unmarshal(pair[0], &h.Name); err != nil {
		return err
	}
	return json.Unmarshal(pair[1], &h.Value)
}

// Record is one record as the contract writes it; nil bytes are null.
type Record struct {
	Topic     string   `json:"topic"`
	Partition int32    `json:"partition"`
	Offset    int64    `json:"offset"`
	Timestamp int64    `json:"timestamp"`
	Key       []byte   `json:"key"`
	Value     []byte   `json:"value"`
	Headers   []Header `json:"headers"`
}

// Wanted is a partition to read from the beginning, and how many records of it.
type Wanted struct {
	Topic     string
	Partition int32
	Count     int
}

// UnmarshalJSON reads the triple [topic, partition, count].
func (w *Wanted) UnmarshalJSON(text []byte) error {
	triple := []any{&w.Topic, &w.Partition, &w.Count}
	return json.Unmarshal(text, &triple)
}

// Client is what a client program provides.
type Client interface {
	Create(topic string, partitions int32) error
	Produce(topic string, partition int32, codec string, records []Record) error
	Consume(partitions []Wanted) ([]Record, error)
	OffsetByTime(topic string, partition int32, timestamp int64) (int64, error)
	// Transact commits "kept 1", aborts "dropped", and commits "kept 2" with the group's position 3.
	Transact(topic, transactionalID, group string) error
	// RunMember consumes until leaving is done, then commits and leaves the group.
	RunMember(leaving context.Context, group, topic string) error
}

type request struct {
	ID              int      `json:"id"`
	Command         string   `json:"command"`
	Group           string   `json:"group"`
	Topic           string   `json:"topic"`
	TransactionalID string   `json:"transactionalId"`
	Partition       int32    `json:"partition"`
	Codec           string   `json:"codec"`
	Timestamp       int64    `json:"timestamp"`
	Records         []Record `json:"records"`
	Partitions      json.RawMessage
}

var stdout sync.Mutex

func emit(message any) {
	line, err := json.Marshal(message)
	if err != nil {
		panic(err)
	}
	stdout.Lock()
	defer stdout.Unlock()
	os.Stdout.Write(append(line, '\n'))
}

// EmitRecord reports a record that a member consumed.
func EmitRecord(record Record) { emit(map[string]any{"event": "record", "record": record}) }

// EmitAssigned reports the partitions that a member now has.
func EmitAssigned(partitions []int32) {
	sorted := append([]int32{}, partitions...)
	sort.Slice(sorted, func(i, j int) bool { return sorted[i] < sorted[j] })
	emit(map[string]any{"event": "assigned", "partitions": sorted})
}

// Serve answers commands until stdin ends.
func Serve(client Client) {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 16<<20)
	session := &session{client: client}
	for lines.Scan() {
		var asked request
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			panic(err)
		}
		result, err := session.run(asked)
		if err != nil {
			emit(map[string]any{"id": asked.ID, "error": err.Error()})
		} else {
			emit(map[string]any{"id": asked.ID, "result": result})
		}
	}
}

type session struct {
	client Client
	leave  context.CancelFunc
	left   chan error
}

func (s *session) run(asked request) (any, error) {
	switch asked.Command {
	case "create":
		var partitions int32
		if err := json.Unmarshal(asked.Partitions, &partitions); err != nil {
			return nil, err
		}
		return nil, s.client.Create(asked.Topic, partitions)
	case "produce":
		return nil, s.client.Produce(asked.Topic, asked.Partition, asked.Codec, asked.Records)
	case "consume":
		var wanted []Wanted
		if err := json.Unmarshal(asked.Partitions, &wanted); err != nil {
			return nil, err
		}
		return s.client.Consume(wanted)
	case "offsetByTime":
		return s.client.OffsetByTime(asked.Topic, asked.Partition, asked.Timestamp)
	case "transact":
		return nil, s.client.Transact(asked.Topic, asked.TransactionalID, asked.Group)
	case "join":
		leaving, leave := context.WithCancel(context.Background())
		s.leave, s.left = leave, make(chan error, 1)
		go func() {
			err := s.client.RunMember(leaving, asked.Group, asked.Topic)
			if err != nil {
				emit(map[string]any{"event": "failed", "error": err.Error()})
			}
			s.left <- err
		}()
		return nil, nil
	case "leave":
		s.leave()
		return nil, <-s.left
	}
	return nil, fmt.Errorf("unknown command %q", asked.Command)
}
