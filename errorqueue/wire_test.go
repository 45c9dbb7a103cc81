package errorqueue

import (
	"fmt"
	"testing"

	"github.com/bunnicula-go/bunnicula/internal/test/upgrade/fixture/typed"
	"github.com/bunnicula-go/bunnicula/internal/test/wirefixtures"
)

// TestWireIsShownAsTheFilesSay reads each message of docs/wire that lies in the error queue.
func TestWireIsShownAsTheFilesSay(t *testing.T) {
	wirefixtures.Each(t, func(t *testing.T, name string, file wirefixtures.Message) {
		if file.Queue != "orders-error" {
			return
		}
		d := file.Delivery()
		m := ordersQueue().read(&d, 1)
		got := wirefixtures.Shown{
			Origin: string(m.Origin), Reason: m.Reason, Error: m.Error, ErrorType: m.Type, Group: m.Group,
			Consumer: m.Consumer, App: m.App, AppVersion: m.AppVersion, Host: m.Host, MessageID: m.ID, IDGiven: m.IDGiven,
			Target: m.Target, TargetFrom: m.TargetFrom, Attempts: m.Attempts, FirstFailedAt: m.FirstFailedAt, FailedAt: m.FailedAt,
			OriginalExchange: m.OriginalExchange, OriginalRoutingKey: m.OriginalRoutingKey,
			OriginalExpiration: m.OriginalExpiration, OriginalUserID: m.OriginalUserID,
			RedriveCount: m.RedriveCount, Headers: typed.Table(m.Headers),
		}
		for _, past := range m.History {
			got.History = append(got.History, fmt.Sprint(past.Attempt, " ", past.Reason))
		}
		wirefixtures.CompareShown(t, name, file, got)
	})
}
