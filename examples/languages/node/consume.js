// Handles orders beside a Go consumer of the same queue, or in its place.
//
//   node consume.js orders
import amqp from 'amqplib';
import { setTimeout as sleep } from 'node:timers/promises';
import { Park, consume } from './bunnicula.js';

const spec = { // what the Go consumer's Spec says
  queue: process.argv[2] ?? 'orders',
  maxRetries: 5,
  backoff: process.argv[3]?.split(',') ?? ['10s', '1m'], // as in the names of the retry queues
  timeout: 1000 * (process.argv[4] ?? 60), // ms
  concurrency: 4,
  app: 'mailer',
};

async function handle(order, { attempt, signal }) {
  if (!order.Email) throw new Park('order has no email'); // to the error queue, with this reason
  await send(order, signal); // what it throws is retried
  console.log(`order ${order.Number} confirmed to ${order.Email} in attempt ${attempt}`);
}

// send stands for the work. Nobody answers at down.example, and slow.example does not answer.
async function send(order, signal) {
  if (order.Email.endsWith('@down.example')) throw new Error(`order ${order.Number}: connect ECONNREFUSED`);
  if (order.Email.endsWith('@slow.example')) await sleep(3_600_000, undefined, { signal });
}

const connection = await amqp.connect(process.env.AMQP_URL ?? 'amqp://guest:guest@localhost:5672/');
const channel = await connection.createConfirmChannel();
for (const each of [connection, channel]) {
  each.on('error', (err) => console.error(err.message));
  each.on('close', () => process.exit(process.exitCode ?? 1)); // who runs it starts it again
}
const stop = await consume(channel, spec, handle);
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    process.exitCode = 0;
    stop();
  });
}
console.log(`consuming ${spec.queue}`);
