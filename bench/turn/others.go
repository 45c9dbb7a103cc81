package turn

// Sides of other libraries. Program bench/others has them; bench plays them with it.
const (
	WatermillOne      = "watermill, 1 subscriber"
	WatermillSixteen  = "watermill, 16 subscribers"
	WatermillChannels = "watermill, 64 channels"
	GoRabbitMQ        = "go-rabbitmq"
	AMQPExtra         = "amqpextra"
	GoCloud           = "gocloud.dev/pubsub"
)

const watermill = "github.com/ThreeDotsLabs/watermill-amqp/v3"

// Modules has the module of each side of another library.
var Modules = map[string]string{
	WatermillOne:      watermill,
	WatermillSixteen:  watermill,
	WatermillChannels: watermill,
	GoRabbitMQ:        "github.com/wagslane/go-rabbitmq",
	AMQPExtra:         "github.com/makasim/amqpextra",
	GoCloud:           "gocloud.dev/pubsub/rabbitpubsub",
}
