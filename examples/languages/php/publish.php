<?php
// Publishes orders to a queue that a Go program has declared. It declares nothing.
//
//   php publish.php orders '{"Number": 1, "Email": "someone@example.com"}'
require is_file(__DIR__ . '/vendor/autoload.php') ? __DIR__ . '/vendor/autoload.php' : 'PhpAmqpLib/autoload.php';

use PhpAmqpLib\Connection\AMQPStreamConnection;
use PhpAmqpLib\Message\AMQPMessage;

$url = parse_url(getenv('AMQP_URL') ?: 'amqp://guest:guest@localhost:5672/');
$vhost = urldecode(substr($url['path'] ?? '/', 1)) ?: '/';
$connection = new AMQPStreamConnection($url['host'], $url['port'] ?? 5672, urldecode($url['user']), urldecode($url['pass']), $vhost);
$channel = $connection->channel();
$channel->confirm_select();

// A message that no queue takes is returned, and the return comes before the confirm.
$returned = $refused = false;
$channel->set_return_listener(function () use (&$returned) { $returned = true; });
$channel->set_nack_handler(function () use (&$refused) { $refused = true; });

foreach (array_slice($argv, 2) as $payload) {
    $message = new AMQPMessage(json_encode(json_decode($payload)), [
        'delivery_mode' => AMQPMessage::DELIVERY_MODE_PERSISTENT, 'content_type' => 'application/json',
        'message_id' => bin2hex(random_bytes(16)), 'timestamp' => time(), 'type' => 'order',
    ]);
    $channel->basic_publish($message, '', $argv[1], true); // mandatory
    $channel->wait_for_pending_acks_returns(30);
    if ($returned || $refused) {
        fwrite(STDERR, $returned ? "no queue takes the key {$argv[1]}\n" : "the broker has refused the message\n");
        exit(1);
    }
    echo "published\n";
}
$connection->close();
