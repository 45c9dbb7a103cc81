"""Retries and parks messages as a Go consumer of the same queue does, by the queues that it has
declared. docs/wire says what the headers mean.
"""
import dataclasses
import datetime
import hashlib
import json
import re
import signal
import socket
import sys
import time
import uuid

import pika
from pika.compat import long  # an integer of AMQP's type long (int64)


class Park(Exception):
    """Raised by a handler when a message cannot succeed. Any other exception is retried."""


class Late(Exception):
    """Raised in a handler that has run past its timeout."""


@dataclasses.dataclass
class Spec:
    """queue, max_retries and backoff are those of the Go consumer's Spec."""
    queue: str
    max_retries: int
    backoff: list  # delays as in the names of the retry queues: ['10s', '1m']
    timeout: float  # seconds
    app: str


def consume(connection, spec, handle, stopping):
    """Handles messages one after the other until stopping() is true. Needs the main thread."""
    channel = connection.channel()
    channel.basic_qos(prefetch_count=1)
    channel.confirm_delivery()  # so that basic_publish waits for the confirm
    signal.signal(signal.SIGALRM, late)
    for method, properties, body in channel.consume(spec.queue, inactivity_timeout=0.2):
        if method is not None:
            message = Message(method, properties, body, spec)
            copy = message.early() or message.attempt(handle)
            if copy:
                place(connection, channel, copy)  # confirmed before the ack: in the other order it can be lost
            channel.basic_ack(method.delivery_tag)
        if stopping():
            break
    else:
        raise RuntimeError(f'{spec.queue}: the broker has cancelled the consumer')  # its queue was deleted, for example
    channel.cancel()
    channel.close()


def place(connection, channel, copy):
    """Publishes a copy until the broker has it in its queue. Until then the message stays unacked."""
    queue, body, properties = copy
    wait = 0.1
    while True:
        try:
            return channel.basic_publish('', queue, body, properties, mandatory=True)
        except pika.exceptions.UnroutableError:
            why = f'there is no queue {queue}'
        except pika.exceptions.NackError:
            why = 'the broker has refused it'
        print(f'the copy for {queue} is not placed, its message is held: {why}', file=sys.stderr, flush=True)
        connection.sleep(wait)
        wait = min(2 * wait, 10)


BROKERS = re.compile(r'(x-death|x-delivery-count|x-acquired-count|x-stream-offset|CC|BCC)$|x-(first-death|last-death|opt-rabbitmq)-')
CARRIED = re.compile(r'bunnicula-(history|first-failed-at|original-.*|due|redrive-count|redriven-at|redrive-id)$')


class Message:
    def __init__(self, method, properties, body, spec):
        self.method, self.properties, self.body, self.spec = method, properties, body, spec
        self.headers = properties.headers or {}
        # The framework's headers are believed if they are about this queue.
        self.trusted = self.headers.get('bunnicula-queue', spec.queue) == spec.queue
        self.number = min(self.retries(), spec.max_retries) + 1  # of the attempt

    def retries(self):
        try:
            return max(int(self.headers['retry-attempts']), 0) if self.trusted else 0
        except (KeyError, TypeError, ValueError, OverflowError):
            return 0

    def attempt(self, handle):
        """Runs the handler. Returns the copy that is to be published, or None after success."""
        began = time.monotonic()
        try:
            try:
                signal.setitimer(signal.ITIMER_REAL, self.spec.timeout)
                handle(self.decode(), self)
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
        except Exception as err:
            return self.failed(err, int((time.monotonic() - began) * 1000))
        return None

    def decode(self):
        try:
            return json.loads(self.body)
        except ValueError as err:
            raise Park(f'decode: {err}') from err

    def failed(self, err, ms):
        """Decides about a message whose handler has raised: wait in a retry queue, or be parked."""
        last = self.number > self.spec.max_retries
        cause = err.__cause__ or err
        reason = reason_of(err, last)
        at = now().strftime('%Y-%m-%dT%H:%M:%SZ')
        headers = self.carried()
        past = past_of(headers.get('bunnicula-history'))
        headers.setdefault('bunnicula-first-failed-at', str(past[0].get('at', at)) if past else at)
        headers['bunnicula-history'] = json.dumps([*past, {
            'at': at, 'attempt': self.number, 'reason': reason, 'error': cut(str(err), 200), 'host': socket.gethostname(), 'ms': ms}][-10:])
        if not last and not isinstance(err, Park):
            delay = self.spec.backoff[min(self.number, len(self.spec.backoff)) - 1]
            headers['retry-attempts'] = long(self.number)
            return self.copy(f'{self.spec.queue}-retry-{delay}', headers)
        headers.update({
            'retry-attempts': long(self.number - 1), 'bunnicula-reason': reason, 'bunnicula-error': cut(str(err), 2048),
            'bunnicula-failed-at': at, 'bunnicula-error-type': type(cause).__name__,
            'bunnicula-error-group': group(self.spec, cause, str(err)), 'bunnicula-consumer': self.spec.queue,
            'bunnicula-app': self.spec.app, 'bunnicula-host': socket.gethostname()})
        return self.copy(f'{self.spec.queue}-error', headers)

    def early(self):
        """Returns the copy of a message that is not to be handled yet, or None."""
        try:
            until = datetime.datetime.fromisoformat(self.headers['bunnicula-not-before'].replace('Z', '+00:00'))
            left = (until - now()).total_seconds()
        except (AttributeError, KeyError, TypeError, ValueError):  # there is no such time
            return None
        if not self.trusted or left < 0.05:
            return None
        delays = sorted(self.spec.backoff, key=seconds)
        delay = max((d for d in delays if seconds(d) <= left), key=seconds, default=delays[0])
        headers = {**self.carried(), 'retry-attempts': long(self.number - 1)}
        if seconds(delay) < left:
            headers['bunnicula-not-before'] = self.headers['bunnicula-not-before']
        return self.copy(f'{self.spec.queue}-retry-{delay}', headers)

    def carried(self):
        """Returns the headers that each copy has: the user's, and those of ours that go along."""
        headers = {name: value for name, value in self.headers.items() if self.keeps(name)}
        headers['bunnicula-queue'] = self.spec.queue
        # The id of a copy is not the publisher's: here it is given one, or an earlier consumer has.
        if not self.properties.message_id or self.headers.get('bunnicula-message-id-given') is True:
            headers['bunnicula-message-id-given'] = True
        headers.setdefault('bunnicula-original-exchange', self.method.exchange)
        headers.setdefault('bunnicula-original-routing-key', self.method.routing_key)
        if self.properties.expiration:
            headers.setdefault('bunnicula-original-expiration', self.properties.expiration)
        if self.properties.user_id:
            headers.setdefault('bunnicula-original-user-id', self.properties.user_id)
        return headers

    def keeps(self, name):
        if name == 'retry-attempts' or name.startswith('bunnicula-'):
            return self.trusted and CARRIED.match(name)
        return not BROKERS.match(name)

    def copy(self, queue, headers):
        """Keeps body and properties, but for the expiration and the user id."""
        p = self.properties
        return queue, self.body, pika.BasicProperties(
            headers=headers, delivery_mode=2, content_type=p.content_type or 'application/octet-stream', content_encoding=p.content_encoding,
            priority=p.priority, correlation_id=p.correlation_id, reply_to=p.reply_to, message_id=p.message_id or str(uuid.uuid4()),
            timestamp=p.timestamp or int(time.time()), type=p.type, app_id=p.app_id)


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def late(_signal, _frame):
    raise Late('the handler ran past its timeout')


def reason_of(err, last):
    if isinstance(err, Park):
        return 'undecodable' if isinstance(err.__cause__, ValueError) and str(err).startswith('decode: ') else 'error'
    if isinstance(err, Late):
        return 'timeout'
    return 'retries-exhausted' if last else 'retry'


def past_of(history):
    """Returns the entries of the header. One that cannot be read is replaced."""
    try:
        past = json.loads(history)
    except (TypeError, ValueError):
        return []
    return [entry for entry in past if isinstance(entry, dict)] if isinstance(past, list) else []


def group(spec, err, text):
    """Is the same for failures of the same kind: ids, numbers and quoted names do not count."""
    varying = r'''[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|0x[0-9a-fA-F]+|"[^"]*"|'[^']*'|[0-9]+'''
    kind = '\0'.join([spec.queue, type(err).__name__, re.sub(varying, '#', text)])
    return hashlib.sha256(kind.encode()).hexdigest()[:16]


def seconds(delay):
    number, unit = re.fullmatch(r'(\d+)(ms|s|m|h)', delay).groups()
    return int(number) * {'ms': 0.001, 's': 1, 'm': 60, 'h': 3600}[unit]


def cut(text, size):
    return text.encode()[:size].decode(errors='ignore')
