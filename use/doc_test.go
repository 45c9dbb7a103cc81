package use_test

import (
	"os"
	"strings"
	"testing"

	"github.com/bunnicula-go/bunnicula/consumer/consumertest"
	"github.com/bunnicula-go/bunnicula/use"
)

func TestWhatTheDocumentationBeginsWithCompilesAndWorks(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile("example_app_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, code, _ := strings.Cut(string(example), "documentation begins with.\n")
	code, _, _ = strings.Cut(code, "\n}\n")
	var commented strings.Builder
	for line := range strings.Lines(code + "\n}\n") {
		commented.WriteString("//\t" + line)
	}
	if !strings.Contains(string(doc), commented.String()) {
		t.Errorf("doc.go does not have\n%s", commented.String())
	}
	limiter, err := use.NewLimiter(use.Limit{Events: 50})
	if err != nil {
		t.Fatal(err)
	}
	consumertest.New(t, Payments(API{}, limiter)).Deliver(Payment{ID: "7"}).AssertAcked()
}
