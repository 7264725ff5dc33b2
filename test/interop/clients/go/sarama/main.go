// sarama behind the contract of ../../README.md.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/IBM/sarama"

	"samsa.test/clients/driver"
)

type client struct{ bootstrap []string }

var codecs = map[string]sarama.CompressionCodec{
	"none":   sarama.CompressionNone,
	"gzip":   sarama.CompressionGZIP,
	"snappy": sarama.CompressionSnappy,
	"lz4":    sarama.CompressionLZ4,
	"zstd":   sarama.CompressionZSTD,
}

func config() *sarama.Config {
	made := sarama.NewConfig()
	made.Version = sarama.MaxVersion
	made.Consumer.Offsets.Initial = sarama.OffsetOldest
	made.Consumer.MaxWaitTime = 250 * time.Millisecond
	return made
}

func (c client) Create(topic string, partitions int32) error {
	admin, err := sarama.NewClusterAdmin(c.bootstrap, config())
	if err != nil {
		return err
	}
	defer admin.Close()
	return admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: 1}, false)
}

func (c client) Produce(topic string, partition int32, codec string, records []driver.Record) error {
	with := config()
	with.Producer.Compression = codecs[codec]
	with.Producer.RequiredAcks = sarama.WaitForAll
	with.Producer.Partitioner = sarama.NewManualPartitioner
	with.Producer.Return.Successes = true
	producer, err := sarama.NewSyncProducer(c.bootstrap, with)
	if err != nil {
		return err
	}
	defer producer.Close()
	var messages []*sarama.ProducerMessage
	for _, record := range records {
		message := &sarama.ProducerMessage{Topic: topic, Partition: partition}
		if record.Key != nil {
			message.Key = sarama.ByteEncoder(record.Key)
		}
		if record.Value != nil {
			message.Value = sarama.ByteEncoder(record.Value)
		}
		if record.Timestamp != 0 {
			message.Timestamp = time.UnixMilli(record.Timestamp)
		}
		for _, header := range record.Headers {
			message.Headers = append(message.Headers, sarama.RecordHeader{Key: []byte(header.Name), Value: header.Value})
		}
		messages = append(messages, message)
	}
	return producer.SendMessages(messages)
}

func (c client) Consume(partitions []driver.Wanted) ([]driver.Record, error) {
	consumer, err := sarama.NewConsumer(c.bootstrap, config())
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	timeout := time.After(driver.Timeout)
	records := []driver.Record{}
	for _, each := range partitions {
		reading, err := consumer.ConsumePartition(each.Topic, each.Partition, sarama.OffsetOldest)
		if err != nil {
			return nil, err
		}
		for left := each.Count; left > 0; left-- {
			select {
			case message := <-reading.Messages():
				records = append(records, line(message))
			case <-timeout:
				return nil, fmt.Errorf("%s-%d: %d records missing", each.Topic, each.Partition, left)
			}
		}
		reading.AsyncClose()
	}
	return records, nil
}

func (c client) OffsetByTime(topic string, partition int32, timestamp int64) (int64, error) {
	connected, err := sarama.NewClient(c.bootstrap, config())
	if err != nil {
		return 0, err
	}
	defer connected.Close()
	return connected.GetOffset(topic, partition, timestamp)
}

// handler commits after every record and reports assignments.
type handler struct{}

func (handler) Setup(session sarama.ConsumerGroupSession) error {
	for _, partitions := range session.Claims() {
		driver.EmitAssigned(partitions)
	}
	return nil
}

func (handler) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (handler) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for message := range claim.Messages() {
		driver.EmitRecord(line(message))
		session.MarkMessage(message, "")
		session.Commit()
	}
	return nil
}

func (c client) Transact(topic, transactionalID, group string) error {
	made := config()
	made.Producer.Idempotent = true
	made.Producer.RequiredAcks = sarama.WaitForAll
	made.Producer.Return.Successes = true
	made.Producer.Transaction.ID = transactionalID
	made.Producer.Partitioner = sarama.NewManualPartitioner
	made.Net.MaxOpenRequests = 1
	producer, err := sarama.NewSyncProducer(c.bootstrap, made)
	if err != nil {
		return err
	}
	defer producer.Close()
	for _, value := range []string{"kept 1", "dropped", "kept 2"} {
		if err := producer.BeginTxn(); err != nil {
			return err
		}
		if _, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(value)}); err != nil {
			return err
		}
		if value == "kept 2" {
			positions := map[string][]*sarama.PartitionOffsetMetadata{topic: {{Partition: 0, Offset: 3}}}
			if err := producer.AddOffsetsToTxn(positions, group); err != nil {
				return err
			}
		}
		if value == "dropped" {
			err = producer.AbortTxn()
		} else {
			err = producer.CommitTxn()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c client) RunMember(leaving context.Context, group, topic string) error {
	with := config()
	with.Consumer.Offsets.AutoCommit.Enable = false
	with.Consumer.Group.Heartbeat.Interval = 500 * time.Millisecond
	with.Consumer.Group.Session.Timeout = 10 * time.Second
	with.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{sarama.NewBalanceStrategyRange()}
	member, err := sarama.NewConsumerGroup(c.bootstrap, group, with)
	if err != nil {
		return err
	}
	for leaving.Err() == nil {
		err := member.Consume(leaving, []string{topic}, handler{})
		if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, sarama.ErrClosedConsumerGroup) {
			member.Close()
			return err
		}
	}
	return member.Close()
}

func line(message *sarama.ConsumerMessage) driver.Record {
	written := driver.Record{
		Topic:     message.Topic,
		Partition: message.Partition,
		Offset:    message.Offset,
		Timestamp: message.Timestamp.UnixMilli(),
		Key:       message.Key,
		Value:     message.Value,
		Headers:   []driver.Header{},
	}
	for _, header := range message.Headers {
		written.Headers = append(written.Headers, driver.Header{Name: string(header.Key), Value: header.Value})
	}
	return written
}

func main() { driver.Serve(client{bootstrap: []string{os.Args[1]}}) }
