package connection

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// ConfigFromEnv reads a Config from the environment:
//
//	AMQP_URL                 one URL, or several with commas between them
//	AMQP_USERNAME            instead of the URL's
//	AMQP_PASSWORD            instead of the URL's
//	AMQP_VHOST               instead of the URL's
//	AMQP_CONNECTION_NAME     Name
//	AMQP_HEARTBEAT           Heartbeat, as 10s or a number of seconds
//	AMQP_CA_FILE             CAFile
//	AMQP_CERT_FILE           CertFile
//	AMQP_KEY_FILE            KeyFile
//	RABBITMQ_MANAGEMENT_URL  Management
//
// What is not set keeps Config's default. A connection that uses the default URL because AMQP_URL is
// not set says so in its log. The error names the variable.
func ConfigFromEnv() (Config, error) { return ConfigFrom(os.Getenv) }

// ConfigFrom is ConfigFromEnv for another environment, such as one in which flags have replaced
// some variables.
func ConfigFrom(getenv func(string) string) (Config, error) {
	c := Config{
		Username: getenv("AMQP_USERNAME"),
		Password: getenv("AMQP_PASSWORD"),
		VHost:    getenv("AMQP_VHOST"),
		Name:     getenv("AMQP_CONNECTION_NAME"),
		CAFile:   getenv("AMQP_CA_FILE"),
		CertFile: getenv("AMQP_CERT_FILE"),
		KeyFile:  getenv("AMQP_KEY_FILE"),

		Management: getenv("RABBITMQ_MANAGEMENT_URL"),
	}
	if urls := splitURLs(getenv("AMQP_URL")); len(urls) > 1 {
		c.URLs = urls
	} else {
		c.URL = urls[0]
	}
	if c.URL == "" && len(c.URLs) == 0 {
		c.unset = "AMQP_URL"
	}
	if s := getenv("AMQP_HEARTBEAT"); s != "" {
		h, err := time.ParseDuration(s)
		if n, notANumber := strconv.Atoi(s); notANumber == nil {
			h, err = time.Duration(n)*time.Second, nil
		}
		// Config would take 0 for the default.
		if err != nil || h <= 0 {
			return Config{}, wrong("AMQP_HEARTBEAT", "is %q, want a duration such as 10s", cut(s, 20))
		}
		c.Heartbeat = h
	}
	if _, err := c.resolve(); err != nil {
		eachField(err, func(e *fieldError) { e.field = variable.Replace(e.field) })
		return Config{}, err
	}
	return c, nil
}

// eachField calls f for what is wrong with each field.
func eachField(err error, f func(*fieldError)) {
	switch e := err.(type) { //nolint:errorlint // this walks the tree, which errors.As does only up to the first
	case *fieldError:
		f(e)
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			eachField(one, f)
		}
	}
}

// variable replaces the names of fields by those of the variables from which they were read.
var variable = strings.NewReplacer(
	"URLs", "AMQP_URL", "URL", "AMQP_URL", "Heartbeat", "AMQP_HEARTBEAT", "Name", "AMQP_CONNECTION_NAME", "VHost", "AMQP_VHOST",
	"CAFile", "AMQP_CA_FILE", "CertFile", "AMQP_CERT_FILE", "KeyFile", "AMQP_KEY_FILE",
	"Management", "RABBITMQ_MANAGEMENT_URL",
)

// A comma may be part of a password. Only a comma in front of a URL's scheme separates two URLs.
var betweenURLs = regexp.MustCompile(`\s*,\s*(amqps?://)`)

func splitURLs(s string) []string {
	return strings.Split(betweenURLs.ReplaceAllString(strings.TrimSpace(s), "\n$1"), "\n")
}
