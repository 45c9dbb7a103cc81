// crc32 is that of node:zlib, which has it from Node 22.2 and 20.15 on.
function crc32(bytes) {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

// partition returns which of the n partitions of a queue has the messages with this key, as
// publisher.Partition does in Go. n is that of consumer.Partitioned.
export function partition(queue, key, n) {
  if (!key) throw new Error('the key of a message for a partition is empty');
  return `${queue}.p${String(crc32(Buffer.from(key)) % n).padStart(2, '0')}`;
}
