// franz-go behind the contract of ../../README.md.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"samsa.test/clients/driver"
)

type client struct{ bootstrap string }

var codecs = map[string]kgo.CompressionCodec{
	"none":   kgo.NoCompression(),
	"gzip":   kgo.GzipCompression(),
	"snappy": kgo.SnappyCompression(),
	"lz4":    kgo.Lz4Compression(),
	"zstd":   kgo.ZstdCompression(),
}

func (c client) connect(options ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(c.bootstrap)}, options...)...)
}

func (c client) Create(topic string, partitions int32) error {
	connected, err := c.connect()
	if err != nil {
		return err
	}
	defer connected.Close()
	timeout, cancel := context.WithTimeout(context.Background(), driver.Timeout)
	defer cancel()
	_, err = kadm.NewClient(connected).CreateTopic(timeout, partitions, 1, nil, topic)
	return err
}

func (c client) Produce(topic string, partition int32, codec string, records []driver.Record) error {
	connected, err := c.connect(
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(codecs[codec]),
		kgo.ProducerLinger(50*time.Millisecond),
		// A broker may not know a fresh topic for a moment; Kafka sometimes does not.
		kgo.UnknownTopicRetries(20),
	)
	if err != nil {
		return err
	}
	defer connected.Close()
	timeout, cancel := context.WithTimeout(context.Background(), driver.Timeout)
	defer cancel()
	var batch []*kgo.Record
	for _, record := range records {
		made := &kgo.Record{Topic: topic, Partition: partition, Key: record.Key, Value: record.Value}
		if record.Timestamp != 0 {
			made.Timestamp = time.UnixMilli(record.Timestamp)
		}
		for _, header := range record.Headers {
			made.Headers = append(made.Headers, kgo.RecordHeader{Key: header.Name, Value: header.Value})
		}
		batch = append(batch, made)
	}
	return connected.ProduceSync(timeout, batch...).FirstErr()
}

func (c client) Consume(partitions []driver.Wanted) ([]driver.Record, error) {
	wanted, expected := map[string]map[int32]kgo.Offset{}, 0
	for _, each := range partitions {
		if wanted[each.Topic] == nil {
			wanted[each.Topic] = map[int32]kgo.Offset{}
		}
		wanted[each.Topic][each.Partition] = kgo.NewOffset().AtStart()
		expected += each.Count
	}
	connected, err := c.connect(kgo.ConsumePartitions(wanted))
	if err != nil {
		return nil, err
	}
	defer connected.Close()
	timeout, cancel := context.WithTimeout(context.Background(), driver.Timeout)
	defer cancel()
	records := []driver.Record{}
	for len(records) < expected {
		fetches := connected.PollFetches(timeout)
		if err := fetches.Err(); err != nil {
			return nil, fmt.Errorf("%d of %d records: %w", len(records), expected, err)
		}
		fetches.EachRecord(func(record *kgo.Record) { records = append(records, line(record)) })
	}
	return records, nil
}

func (c client) OffsetByTime(topic string, partition int32, timestamp int64) (int64, error) {
	connected, err := c.connect()
	if err != nil {
		return 0, err
	}
	defer connected.Close()
	timeout, cancel := context.WithTimeout(context.Background(), driver.Timeout)
	defer cancel()
	listed, err := kadm.NewClient(connected).ListOffsetsAfterMilli(timeout, timestamp, topic)
	if err != nil {
		return 0, err
	}
	found, ok := listed.Lookup(topic, partition)
	if !ok || found.Err != nil {
		return 0, fmt.Errorf("no offset: %v", found.Err)
	}
	if found.Timestamp == -1 { // the library answers the end offset where no record is that late
		return -1, nil
	}
	return found.Offset, nil
}

// Transact leaves the group's position out: the library commits it only for what a group session has read itself.
func (c client) Transact(topic, transactionalID, _ string) error {
	connected, err := c.connect(
		kgo.TransactionalID(transactionalID),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.UnknownTopicRetries(20),
	)
	if err != nil {
		return err
	}
	defer connected.Close()
	timeout, cancel := context.WithTimeout(context.Background(), driver.Timeout)
	defer cancel()
	for _, value := range []string{"kept 1", "dropped", "kept 2"} {
		if err := connected.BeginTransaction(); err != nil {
			return err
		}
		record := &kgo.Record{Topic: topic, Value: []byte(value)}
		if err := connected.ProduceSync(timeout, record).FirstErr(); err != nil {
			return err
		}
		if err := connected.EndTransaction(timeout, kgo.TransactionEndTry(value != "dropped")); err != nil {
			return err
		}
	}
	return nil
}

func (c client) RunMember(leaving context.Context, group, topic string) error {
	held := map[int32]bool{}
	report := func() {
		partitions := []int32{}
		for partition := range held {
			partitions = append(partitions, partition)
		}
		driver.EmitAssigned(partitions)
	}
	lose := func(_ context.Context, _ *kgo.Client, lost map[string][]int32) {
		for _, partition := range lost[topic] {
			delete(held, partition)
		}
		report()
	}
	connected, err := c.connect(
		kgo.ConsumerGroup(group),
		kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.DisableAutoCommit(),
		kgo.HeartbeatInterval(500*time.Millisecond),
		kgo.SessionTimeout(10*time.Second),
		kgo.FetchMaxWait(250*time.Millisecond),
		kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, given map[string][]int32) {
			for _, partition := range given[topic] {
				held[partition] = true
			}
			report()
		}),
		kgo.OnPartitionsRevoked(lose),
		kgo.OnPartitionsLost(lose),
	)
	if err != nil {
		return err
	}
	defer connected.CloseAllowingRebalance()
	for {
		fetches := connected.PollFetches(leaving)
		if leaving.Err() != nil {
			return nil
		}
		if err := fetches.Err(); err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
		fetches.EachRecord(func(record *kgo.Record) { driver.EmitRecord(line(record)) })
		if err := connected.CommitUncommittedOffsets(context.Background()); err != nil {
			return err
		}
		connected.AllowRebalance()
	}
}

func line(record *kgo.Record) driver.Record {
	written := driver.Record{
		Topic:     record.Topic,
		Partition: record.Partition,
		Offset:    record.Offset,
		Timestamp: record.Timestamp.UnixMilli(),
		Key:       record.Key,
		Value:     record.Value,
		Headers:   []driver.Header{},
	}
	for _, header := range record.Headers {
		written.Headers = append(written.Headers, driver.Header{Name: header.Key, Value: header.Value})
	}
	return written
}

func main() { driver.Serve(client{bootstrap: os.Args[1]}) }
