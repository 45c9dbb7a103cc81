// Publishes orders to a queue that a Go program has declared. It declares nothing.
//
//   node publish.js orders '{"Number": 1, "Email": "someone@example.com"}'
import amqp from 'amqplib';
import { randomUUID } from 'node:crypto';

const [queue = 'orders', ...payloads] = process.argv.slice(2);
const connection = await amqp.connect(process.env.AMQP_URL ?? 'amqp://guest:guest@localhost:5672/');
const channel = await connection.createConfirmChannel();
channel.on('error', (err) => console.error(err.message)); // what was not confirmed is rejected below

// A message that no queue takes is returned, and the return comes before the confirm.
const returned = new Set();
channel.on('return', (message) => returned.add(message.properties.messageId));

// publish resolves when the broker has the message in a queue. After "message nacked" it has not,
// after "channel closed" nobody knows: publish again, with the same message id.
function publish(exchange, routingKey, type, payload, messageId = randomUUID()) {
  const options = {
    persistent: true, mandatory: true, messageId, type, contentType: 'application/json', timestamp: Math.floor(Date.now() / 1000),
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

try {
  for (const payload of payloads) {
    console.log('published', await publish('', queue, 'order', JSON.parse(payload)));
  }
} catch (err) {
  console.error(err.message);
  process.exitCode = 1;
}
await connection.close();
