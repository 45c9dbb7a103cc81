// Publishes orders to a queue that a Go program has declared. It declares nothing.
//
//   java -cp "$CLASSPATH" Publish.java orders '{"Number": 1, "Email": "someone@example.com"}'

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import java.nio.charset.StandardCharsets;
import java.util.Date;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicBoolean;

class Publish {
    public static void main(String[] args) throws Exception {
        ConnectionFactory factory = new ConnectionFactory();
        factory.setUri(Optional.ofNullable(System.getenv("AMQP_URL")).orElse("amqp://guest:guest@localhost:5672/%2F"));
        try (Connection connection = factory.newConnection()) {
            Channel channel = connection.createChannel();
            channel.confirmSelect();

            // A message that no queue takes is returned, and the return comes before the confirm.
            AtomicBoolean returned = new AtomicBoolean();
            channel.addReturnListener((code, text, exchange, key, properties, body) -> returned.set(true));

            for (int i = 1; i < args.length; i++) {
                AMQP.BasicProperties properties = new AMQP.BasicProperties.Builder()
                        .deliveryMode(2).contentType("application/json").messageId(UUID.randomUUID().toString())
                        .timestamp(new Date()).type("order").build();
                channel.basicPublish("", args[0], true, properties, args[i].getBytes(StandardCharsets.UTF_8)); // mandatory
                channel.waitForConfirmsOrDie(30_000); // throws if the broker has refused the message
                if (returned.get()) {
                    throw new IllegalStateException("no queue takes the key " + args[0]);
                }
                System.out.println("published");
            }
        }
    }
}
