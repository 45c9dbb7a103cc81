package connection_test

import (
	"fmt"
	"log"
	"os"

	"github.com/bunnicula-go/bunnicula/connection"
)

func ExampleConfigFromEnv() {
	os.Setenv("AMQP_URL", "amqp://shop:secret@rabbit-1/shop, amqp://shop:secret@rabbit-2/shop")
	os.Setenv("AMQP_CONNECTION_NAME", "shop")
	os.Setenv("AMQP_HEARTBEAT", "20s")
	defer os.Unsetenv("AMQP_URL")
	defer os.Unsetenv("AMQP_CONNECTION_NAME")
	defer os.Unsetenv("AMQP_HEARTBEAT")

	cfg, err := connection.ConfigFromEnv()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(cfg)
	// Output: connection.Config{amqp://shop@rabbit-1:5672/shop,amqp://shop@rabbit-2:5672/shop name="shop" heartbeat=20s}
}

func ExampleConfig_String() {
	cfg := connection.Config{URL: "amqps://shop:secret@rabbit.example.com/%2Forders?heartbeat=5", Name: "shop"}
	fmt.Println(cfg)
	fmt.Printf("%#v\n", cfg)
	// Output:
	// connection.Config{amqps://shop@rabbit.example.com:5671/%2Forders name="shop" heartbeat=10s}
	// connection.Config{amqps://shop@rabbit.example.com:5671/%2Forders name="shop" heartbeat=10s}
}
