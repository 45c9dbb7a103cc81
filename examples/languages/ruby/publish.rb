# Publishes orders to a queue that a Go program has declared. It declares nothing.
#
#   ruby publish.rb orders '{"Number": 1, "Email": "someone@example.com"}'
require 'bunny'
require 'json'
require 'securerandom'

queue, *payloads = ARGV
connection = Bunny.new(ENV.fetch('AMQP_URL', 'amqp://guest:guest@localhost:5672/%2F')).start
channel = connection.create_channel
channel.confirm_select
exchange = channel.default_exchange # or channel.exchange('events', passive: true)

# A message that no queue takes is returned, and the return comes before the confirm.
returned = Queue.new
exchange.on_return { |info, _properties, _body| returned << info.routing_key }

payloads.each do |payload|
  exchange.publish(JSON.generate(JSON.parse(payload)),
                   routing_key: queue, persistent: true, mandatory: true, content_type: 'application/json',
                   message_id: SecureRandom.uuid, timestamp: Time.now.to_i, type: 'order')
  abort 'the broker has refused the message' unless channel.wait_for_confirms
  abort "no queue takes the key #{returned.pop}" unless returned.empty?
  puts 'published'
end
connection.close
