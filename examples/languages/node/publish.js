// Publishes orders to a queue that a Go program has declared. It declares nothing.
//
//   node publish.js orders '{"Number": 1, "Email": "someone@example.com"}'
//
// With DELAY=90 they are to be handled in 90 seconds. With PARTITIONS=16 the queue has so many
// partitions, and the orders of one address are handled in order.
import amqp from 'amqplib';
import { randomUUID } from 'node:crypto';
import { partition } from './partition.js';

const [queue = 'orders', ...payloads] = process.argv.slice(2);
const connection = await amqp.connect(process.env.AMQP_URL ?? 'amqp://guest:guest@localhost:5672/');
const channel = await connection.createConfirmChannel();
channel.on('error', (err) => console.error(err.message)); // what was not confirmed is rejected below

// A message that no queue takes is returned, and the return comes before the confirm.
const returned = new Set();
channel.on('return', (message) => returned.add(message.properties.messageId));

// publish resolves when the broker has the message in a queue. After "message nacked" it has not,
// after "channel closed" nobody knows: publish again, with the same message id.
function publish(exchange, routingKey, type, payload, { headers, messageId = randomUUID() } = {}) {
  const options = {
    persistent: true, mandatory: true, messageId, type, headers, contentType: 'application/json', timestamp: Math.floor(Date.now() / 1000),
  };
  return new Promise((resolve, reject) => {
    channel.publish(exchange, routingKey, Buffer.from(JSON.stringify(payload)), options, (err) => {
      const unroutable = returned.delete(messageId);
      if (err) reject(err);
      else if (unroutable) reject(new Error(`no queue takes the key ${routingKey} of exchange "${exchange}"`));
      else resolve(messageId);
    });
  });
}

// later says where a message waits that is to be handled in so many milliseconds, and its headers. The
// consumer of the queue sends it on until it is due.
const LADDER = { '24h': 86_400_000, '6h': 21_600_000, '1h': 3_600_000, '15m': 900_000, '5m': 300_000, '1m': 60_000, '15s': 15_000, '5s': 5000, '1s': 1000, '250ms': 250 };

function later(queue, milliseconds) {
  const rung = Object.keys(LADDER).find((name) => LADDER[name] <= milliseconds) ?? '250ms';
  const due = new Date(Date.now() + milliseconds).toISOString();
  return { routingKey: `${queue}-retry-${rung}`, headers: { 'bunnicula-due': due, 'bunnicula-not-before': due } };
}

try {
  const { routingKey, headers } = process.env.DELAY ? later(queue, 1000 * process.env.DELAY) : { routingKey: queue };
  for (const order of payloads.map((text) => JSON.parse(text))) {
    const key = process.env.PARTITIONS ? partition(queue, order.Email, process.env.PARTITIONS) : routingKey;
    console.log('published', await publish('', key, 'order', order, { headers })); // one after the other
  }
} catch (err) {
  console.error(err.message);
  process.exitCode = 1;
}
await connection.close();
