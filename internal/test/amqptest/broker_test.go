package amqptest

import (
	"os"
	"strings"
	"testing"
)

func TestWithoutABrokerTheErrorSaysHowToStartOne(t *testing.T) {
	t.Chdir(t.TempDir()) // no parent directory has scripts/broker
	for _, name := range variables {
		t.Setenv(name, "")
		if err := os.Unsetenv(name); err != nil {
			t.Fatal(err)
		}
	}
	_, err := lookUp()
	if err == nil || !strings.Contains(err.Error(), "make broker-up") {
		t.Fatalf("got %v, want what to do", err)
	}
}

func TestParseReadsNamesAndValues(t *testing.T) {
	got := parse("A=1\nB=\nC=x=y z\n")
	if len(got) != 3 || got["A"] != "1" || got["B"] != "" || got["C"] != "x=y z" {
		t.Fatalf("got %v", got)
	}
}
