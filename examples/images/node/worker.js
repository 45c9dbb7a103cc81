// Turns pictures black and white beside the workers in Go, which take from the same queue:
//
//   node worker.js example-images-bw /tmp/example-images/results
//
// It writes the same results under the same names, sends the same notices, and tells the program that
// has started it what it does. What it cannot decode it leaves to Go, which may.
import amqp from 'amqplib';
import jpeg from 'jpeg-js';
import { PNG } from 'pngjs';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Snooze, consume } from '../../languages/node/bunnicula.js';

const [queue = 'example-images-bw', results = '.', until] = process.argv.slice(2);
const maxPixels = 4_000_000;

const spec = { // what the Spec in worker.go says
  queue,
  maxRetries: 4,
  backoff: ['100ms', '200ms', '400ms', '800ms'],
  timeout: 3000,
  concurrency: 2,
  app: 'images-worker-node',
  decode: (body) => body, // the picture as it is
};

const tell = (event, id) => process.stdout.write(`${event} ${id}\n`);

// paint handles one request, also a duplicate: it has no store of what was done, and makes the same
// again. What it throws is retried, but for a Snooze.
async function paint(picture, { message, attempt }) {
  const { messageId: id, contentType, headers } = message.properties;
  tell('took', id);
  tell('began', id);
  if (!id || !/^[\w][\w.-]*$/.test(id)) throw new Snooze(1000); // no name of a file: Go says so
  trouble(id, headers?.trouble, attempt);
  const grey = blackAndWhite(picture, contentType);
  const part = join(results, `.partial-${process.pid}-${id}`);
  try {
    writeFileSync(part, grey.bytes);
    renameSync(part, join(results, id)); // whoever sees it sees all of it
  } catch (err) {
    rmSync(part, { force: true });
    throw err;
  }
  tell('painted', id);
  await notify(message, { width: grey.width, height: grey.height, bytes: grey.bytes.length });
}

// trouble plays what happens to services, as worker.go does.
function trouble(id, kind, attempt) {
  if (kind === 'hopeless' || (kind === 'flaky' && attempt < 3)) throw new Error('the disk does not answer');
  if (kind === 'busy' && attempt === 1) throw new Error('too many pictures at once');
  if (kind === 'crash') {
    tell('crashed', id);
    process.exit(3); // nothing is given back
  }
}

// blackAndWhite makes a grey picture of a PNG or a JPEG, in the same format. What is transparent
// becomes white.
function blackAndWhite(picture, contentType) {
  const { codec, image } = decode(picture, contentType);
  const { data, width, height } = image;
  for (let i = 0; i < data.length; i += 4) {
    const opaque = data[i + 3] / 255;
    const light = 0.299 * data[i] + 0.587 * data[i + 1] + 0.114 * data[i + 2];
    data[i] = data[i + 1] = data[i + 2] = Math.round(light * opaque + 255 * (1 - opaque));
    data[i + 3] = 255;
  }
  return { width, height, bytes: codec.encode({ data, width, height }) };
}

const codecs = {
  'image/png': {
    decode(picture) {
      const [width, height] = [picture.readUInt32BE(16), picture.readUInt32BE(20)]; // of its first chunk
      if (width * height > maxPixels) throw new RangeError('too many pixels');
      return PNG.sync.read(picture);
    },
    encode: ({ data, width, height }) => PNG.sync.write({ data, width, height }, { colorType: 0, inputColorType: 6 }),
  },
  'image/jpeg': {
    decode: (picture) => jpeg.decode(picture, { tolerantDecoding: false, maxResolutionInMP: maxPixels / 1e6, maxMemoryUsageInMB: 128 }),
    encode: (image) => jpeg.encode(image, 75).data,
  },
};

// decode leaves what it cannot decode to a worker in Go. It uses no attempt for that: whether it is a
// picture is not for this one to say.
function decode(picture, contentType) {
  try {
    const codec = codecs[contentType];
    return { codec, image: codec.decode(picture) };
  } catch (err) {
    console.error(`left to Go: ${contentType}: ${err.message}`);
    throw new Snooze(100);
  }
}

const connection = await amqp.connect(address());
const channel = await connection.createConfirmChannel();
const notices = await connection.createConfirmChannel();
for (const each of [connection, channel, notices]) {
  each.on('error', (err) => console.error(err.message));
  each.on('close', () => process.exit(process.exitCode ?? 1)); // who runs it starts it again
}

// notify tells the requester, and resolves when the broker has the notice: only then the request is
// acked. A requester that has gone needs no notice.
const returned = new Set();
notices.on('return', ({ properties }) => returned.add(properties.messageId)); // comes before the confirm
function notify({ properties: { messageId, replyTo, correlationId } }, notice) {
  const id = `${messageId}-reply`;
  if (!replyTo) return undefined;
  const options = {
    persistent: true, mandatory: true, messageId: id, correlationId: correlationId ?? messageId, contentType: 'application/json',
    timestamp: Math.floor(Date.now() / 1000),
  };
  return new Promise((resolve, reject) => {
    notices.publish('', replyTo, Buffer.from(JSON.stringify(notice)), options, (err) => {
      if (returned.delete(id)) console.error(`no notice of ${messageId}: there is no queue ${replyTo}`);
      if (err) reject(err);
      else resolve();
    });
  });
}

// address is AMQP_URL, with AMQP_USERNAME and AMQP_PASSWORD in the place of its user.
function address() {
  const url = new URL(process.env.AMQP_URL || 'amqp://guest:guest@localhost:5672/');
  if (process.env.AMQP_USERNAME) url.username = encodeURIComponent(process.env.AMQP_USERNAME);
  if (process.env.AMQP_PASSWORD) url.password = encodeURIComponent(process.env.AMQP_PASSWORD);
  return url.href;
}

const stop = await consume(channel, spec, paint);
tell('ready', '-');
let stopping = false;
async function end() {
  if (stopping) return;
  stopping = true;
  process.exitCode = 0;
  await stop();
  await connection.close();
}
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, end);
if (until === 'until-eof') process.stdin.resume().once('end', end); // the program that has started it stops it, or is gone
