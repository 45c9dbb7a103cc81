"""Handles orders beside a Go consumer of the same queue, or in its place.

    python3 consume.py orders
"""
import os
import signal
import sys
import time

import pika

from bunnicula import Park, Spec, consume

spec = Spec(  # what the Go consumer's Spec says
    queue=sys.argv[1] if len(sys.argv) > 1 else 'orders',
    max_retries=5,
    backoff=sys.argv[2].split(',') if len(sys.argv) > 2 else ['10s', '1m'],
    timeout=float(sys.argv[3]) if len(sys.argv) > 3 else 60,  # seconds
    app='mailer',
)


def handle(order, message):
    if not order.get('Email'):
        raise Park('order has no email')  # to the error queue, with this reason
    send(order)  # what it raises is retried
    print(f"order {order['Number']} confirmed to {order['Email']} in attempt {message.number}", flush=True)


def send(order):
    """Stands for the work. Nobody answers at down.example, and slow.example does not answer."""
    if order['Email'].endswith('@down.example'):
        raise ConnectionError(f"order {order['Number']}: connect ECONNREFUSED")
    if order['Email'].endswith('@slow.example'):
        time.sleep(3600)


stop = []
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda *_: stop.append(True))

parameters = pika.URLParameters(os.environ.get('AMQP_URL', 'amqp://guest:guest@localhost:5672/%2F'))
parameters.heartbeat = max(60, int(3 * spec.timeout))  # nobody answers heartbeats while a handler runs
connection = pika.BlockingConnection(parameters)  # what it raises later ends the program: who runs it starts it again
print(f'consuming {spec.queue}', flush=True)
consume(connection, spec, handle, stopping=lambda: stop)
connection.close()
