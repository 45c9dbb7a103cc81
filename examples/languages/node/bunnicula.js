// Retries and parks messages as a Go consumer of the same queue does, by the queues that it has
// declared. docs/wire says what the headers mean.
import { createHash, randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';

// Park is thrown by a handler when a message cannot succeed. Any other error is retried.
export class Park extends Error {}

// Snooze is thrown for a message that is to come again after so many milliseconds, and uses no attempt.
export class Snooze extends Error {
  constructor(milliseconds) {
    super(`comes again in ${milliseconds} ms`);
    this.until = Date.now() + milliseconds;
  }
}

class Undecodable extends Park {}

// consume handles messages of spec.queue, and returns a function that stops it. The channel is a
// confirm channel of its own. queue, maxRetries and backoff are those of the Go consumer's Spec. The
// handler gets what spec.decode makes of the body; unless set it is JSON.
export async function consume(channel, spec, handle) {
  const publish = publisher(channel);
  const running = new Set();
  const settle = async (message) => {
    const copy = early(message, spec) ?? await attempt(message, spec, handle);
    if (copy) await publish(copy); // confirmed before the ack: in the other order it can be lost
    channel.ack(message); // throws if the channel has ended: the broker delivers the message again
  };
  await channel.prefetch(spec.concurrency); // no more than are begun at once
  const { consumerTag } = await channel.consume(spec.queue, (message) => {
    if (message === null) { // the broker has cancelled the consumer: its queue was deleted, for example
      channel.close();
      return;
    }
    const work = settle(message)
      .catch((err) => console.error(`${spec.queue}: a message was not settled, it comes again: ${err.message}`))
      .finally(() => running.delete(work));
    running.add(work);
  });
  return async () => {
    await channel.cancel(consumerTag);
    await Promise.all(running);
    await channel.close();
  };
}

// attempt runs the handler. It returns the copy that is to be published, or undefined after success.
async function attempt(message, spec, handle) {
  const began = Date.now();
  const limit = new AbortController();
  const late = new Promise((_, reject) => limit.signal.addEventListener('abort', () => reject(limit.signal.reason)));
  const timer = setTimeout(() => limit.abort(new DOMException('the handler ran past its timeout', 'TimeoutError')), spec.timeout);
  const run = async () => handle(decode(message, spec), { message, attempt: attemptOf(message, spec), signal: limit.signal });
  try {
    await Promise.race([run(), late]);
    return undefined;
  } catch (err) {
    if (err instanceof Snooze) return wait(message, spec, err.until);
    return failed(message, spec, err instanceof Error ? err : new Error(String(err)), Date.now() - began);
  } finally {
    clearTimeout(timer);
  }
}

function decode(message, spec) {
  try {
    return (spec.decode ?? JSON.parse)(message.content);
  } catch (err) {
    throw Object.assign(new Undecodable(`decode: ${err.message}`), { name: err.name });
  }
}

// failed returns the copy of a message whose handler has thrown: it waits in a retry queue, or is
// parked in the error queue.
function failed(message, spec, err, ms) {
  const number = attemptOf(message, spec);
  const last = number > spec.maxRetries;
  const reason = reasonOf(err, last);
  const text = String(err.message);
  const at = new Date().toISOString().replace(/\.\d+/, '');

  const headers = carried(message, spec);
  const past = pastOf(headers['bunnicula-history']);
  headers['bunnicula-first-failed-at'] ??= String(past[0]?.at ?? at);
  headers['bunnicula-history'] = JSON.stringify([...past, {
    at, attempt: number, reason, error: cut(text, 200), host: hostname(), ms,
  }].slice(-10));
  if (!last && !(err instanceof Park)) {
    const delay = spec.backoff[Math.min(number, spec.backoff.length) - 1];
    return copyOf(message, `${spec.queue}-retry-${delay}`, { ...headers, 'retry-attempts': long(number) });
  }
  return copyOf(message, spec.errorQueue ?? `${spec.queue}-error`, {
    ...headers, 'retry-attempts': long(number - 1), 'bunnicula-reason': reason, 'bunnicula-error': cut(text, 2048),
    'bunnicula-failed-at': at, 'bunnicula-error-type': typeOf(err),
    'bunnicula-error-group': group(spec, err), 'bunnicula-consumer': spec.queue, 'bunnicula-app': spec.app, 'bunnicula-host': hostname(),
  });
}

const typeOf = (err) => String(err.name === 'Error' ? err.constructor.name : err.name);

function reasonOf(err, last) {
  if (err instanceof Undecodable) return 'undecodable';
  if (err instanceof Park) return 'error';
  if (err.name === 'TimeoutError') return 'timeout';
  return last ? 'retries-exhausted' : 'retry';
}

// early returns the copy of a message that is not to be handled yet, or undefined.
function early(message, spec) {
  const until = trusted(message, spec) ? Date.parse(headersOf(message)['bunnicula-not-before']) : NaN;
  if (!(until - Date.now() >= 50)) return undefined; // also if there is no such time
  return wait(message, spec, until);
}

// wait returns the copy of a message that is to come again at that time, in the same attempt.
function wait(message, spec, until) {
  const left = until - Date.now();
  const inOrder = [...spec.backoff].sort((a, b) => milliseconds(a) - milliseconds(b));
  const delay = inOrder.findLast((d) => milliseconds(d) <= left) ?? inOrder[0];
  const headers = { ...carried(message, spec), 'retry-attempts': long(attemptOf(message, spec) - 1) };
  if (milliseconds(delay) < left) headers['bunnicula-not-before'] = new Date(until).toISOString();
  return copyOf(message, `${spec.queue}-retry-${delay}`, headers);
}

const headersOf = (message) => message.properties.headers ?? {};

// trusted says whether the framework's headers of a message are about this queue.
const trusted = (message, spec) => (headersOf(message)['bunnicula-queue'] ?? spec.queue) === spec.queue;

// attemptOf returns the number of the attempt that comes next, from 1.
export function attemptOf(message, spec) {
  if (!trusted(message, spec)) return 1;
  const retries = Math.trunc(Number(headersOf(message)['retry-attempts'])) || 0; // 0 if it is absent or no number
  return Math.min(Math.max(retries, 0), spec.maxRetries) + 1;
}

const OURS = /^(retry-attempts$|bunnicula-)/;
const BROKERS = /^(x-death|x-delivery-count|x-acquired-count|x-stream-offset|CC|BCC)$|^x-(first-death|last-death|opt-rabbitmq)-/;
const CARRIED = /^bunnicula-(history|first-failed-at|original-.*|due|redrive-count|redriven-at|redrive-id)$/;

// carried returns the headers that each copy has: the user's, and those of ours that go along.
function carried(message, spec) {
  const { fields, properties } = message;
  const keep = (name) => (OURS.test(name) ? trusted(message, spec) && CARRIED.test(name) : !BROKERS.test(name));
  const headers = Object.fromEntries(Object.entries(headersOf(message)).filter(([name]) => keep(name)));
  const redriven = headers['bunnicula-redrive-count'];
  if (redriven) headers['bunnicula-redrive-count'] = long(redriven);
  headers['bunnicula-queue'] = spec.queue;
  // The id of a copy is not the publisher's: here it is given one, or an earlier consumer has.
  if (!properties.messageId || headersOf(message)['bunnicula-message-id-given'] === true) headers['bunnicula-message-id-given'] = true;
  headers['bunnicula-original-exchange'] ??= fields.exchange;
  headers['bunnicula-original-routing-key'] ??= fields.routingKey;
  if (properties.expiration) headers['bunnicula-original-expiration'] ??= properties.expiration;
  if (properties.userId) headers['bunnicula-original-user-id'] ??= properties.userId;
  return headers;
}

// long is an integer of AMQP's type long (int64). amqplib would write a small number as a byte.
const long = (value) => ({ '!': 'long', value });

// copyOf keeps body and properties, but for the expiration and the user id.
function copyOf({ content, properties: p }, queue, headers) {
  return { queue, content, options: {
    headers, persistent: true, mandatory: true, contentType: p.contentType ?? 'application/octet-stream', contentEncoding: p.contentEncoding,
    priority: p.priority, correlationId: p.correlationId, replyTo: p.replyTo, messageId: p.messageId || randomUUID(),
    timestamp: p.timestamp ?? Math.floor(Date.now() / 1000), type: p.type, appId: p.appId,
  } };
}

// publisher returns a function that publishes a copy until the broker has it in its queue. Until
// then the message stays unacked. It is not nacked: before RabbitMQ 4.3 that looks like a crash.
function publisher(channel) {
  const inFlight = new Set();
  channel.on('return', ({ fields, properties }) => { // of the earliest with its queue and id
    const same = (c) => !c.returned && c.queue === fields.routingKey && c.options.messageId === properties.messageId;
    const copy = [...inFlight].find(same);
    if (copy) copy.returned = true;
  });
  const once = (copy) => new Promise((resolve, reject) => {
    const sent = { ...copy, returned: false };
    inFlight.add(sent);
    channel.publish('', sent.queue, sent.content, sent.options, (err) => {
      inFlight.delete(sent);
      if (err) reject(err);
      else if (sent.returned) reject(new Error(`there is no queue ${sent.queue}`));
      else resolve();
    });
  });
  return async (copy) => {
    for (let wait = 100; ; wait = Math.min(2 * wait, 10_000)) {
      try {
        return await once(copy);
      } catch (err) {
        if (err.message === 'channel closed' || err.name === 'IllegalOperationError') throw err;
        console.error(`the copy for ${copy.queue} is not placed, its message is held: ${err.message}`);
        await pause(wait);
      }
    }
  };
}

// pastOf returns the entries of the header. One that cannot be read is replaced.
function pastOf(history) {
  try {
    const all = JSON.parse(history);
    return Array.isArray(all) ? all : [];
  } catch {
    return [];
  }
}

// group is the same for failures of the same kind: ids, numbers and quoted names do not count.
function group(spec, err) {
  const varying = /[0-9a-f]{8}-[0-9a-f-]{27}|0x[0-9a-f]+|"[^"]*"|'[^']*'|[0-9]+/gi;
  return createHash('sha256').update([spec.queue, typeOf(err), String(err.message).replace(varying, '#')].join('\0')).digest('hex').slice(0, 16);
}

function milliseconds(delay) {
  const [, n, unit] = /^(\d+)(ms|s|m|h)$/.exec(delay);
  return n * { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[unit];
}

const cut = (text, bytes) => Buffer.from(text).subarray(0, bytes).toString().replace(/\uFFFD$/, '');
