"""Publishes orders to a queue that a Go program has declared. It declares nothing.

    python3 publish.py orders '{"Number": 1, "Email": "someone@example.com"}'

With DELAY=90 they are to be handled in 90 seconds. With PARTITIONS=16 the queue has so many
partitions, and the orders of one address are handled in order.
"""
import datetime
import json
import os
import sys
import time
import uuid

import pika

from partition import partition

queue, *payloads = sys.argv[1:]
connection = pika.BlockingConnection(pika.URLParameters(os.environ.get('AMQP_URL', 'amqp://guest:guest@localhost:5672/%2F')))
channel = connection.channel()
channel.confirm_delivery()  # so that basic_publish waits for the confirm


def publish(key, payload, headers=None):
    try:
        channel.basic_publish(
            exchange='', routing_key=key, body=json.dumps(payload), mandatory=True,
            properties=pika.BasicProperties(
                delivery_mode=2, content_type='application/json', message_id=str(uuid.uuid4()),
                timestamp=int(time.time()), type='order', headers=headers))
    except pika.exceptions.UnroutableError:
        sys.exit(f'no queue takes the key {key}')
    except pika.exceptions.NackError:
        sys.exit('the broker has refused the message')
    print('published')


LADDER = {'24h': 86400, '6h': 21600, '1h': 3600, '15m': 900, '5m': 300, '1m': 60, '15s': 15, '5s': 5, '1s': 1, '250ms': 0.25}


def later(queue, seconds):
    """Says where a message waits that is to be handled in so many seconds, and its headers. The
    consumer of the queue sends it on until it is due."""
    rung = next((name for name, length in LADDER.items() if length <= seconds), '250ms')
    due = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    due = due.isoformat(timespec='milliseconds').replace('+00:00', 'Z')
    return f'{queue}-retry-{rung}', {'bunnicula-due': due, 'bunnicula-not-before': due}


key, headers = later(queue, float(os.environ['DELAY'])) if 'DELAY' in os.environ else (queue, None)
for order in map(json.loads, payloads):
    if 'PARTITIONS' in os.environ:
        key = partition(queue, order['Email'], int(os.environ['PARTITIONS']))
    publish(key, order, headers)
connection.close()
