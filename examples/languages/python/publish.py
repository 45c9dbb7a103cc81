"""Publishes orders to a queue that a Go program has declared. It declares nothing.

    python3 publish.py orders '{"Number": 1, "Email": "someone@example.com"}'
"""
import json
import os
import sys
import time
import uuid

import pika

queue, *payloads = sys.argv[1:]
connection = pika.BlockingConnection(pika.URLParameters(os.environ.get('AMQP_URL', 'amqp://guest:guest@localhost:5672/%2F')))
channel = connection.channel()
channel.confirm_delivery()  # so that basic_publish waits for the confirm

for payload in payloads:
    try:
        channel.basic_publish(
            exchange='', routing_key=queue, body=json.dumps(json.loads(payload)), mandatory=True,
            properties=pika.BasicProperties(
                delivery_mode=2, content_type='application/json', message_id=str(uuid.uuid4()),
                timestamp=int(time.time()), type='order'))
    except pika.exceptions.UnroutableError:
        sys.exit(f'no queue takes the key {queue}')
    except pika.exceptions.NackError:
        sys.exit('the broker has refused the message')
    print('published')
connection.close()
