import zlib


def partition(queue, key, n):
    """Returns which of the n partitions of a queue has the messages with this key, as
    publisher.Partition does in Go. n is that of consumer.Partitioned."""
    if not key:
        raise ValueError('the key of a message for a partition is empty')
    return f'{queue}.p{zlib.crc32(key.encode()) % n:02d}'
