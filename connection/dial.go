package connection

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"

	amqp "github.com/rabbitmq/amqp091-go"
)

// dial opens one connection to t for a link, within ctx and the dial timeout.
func dial(ctx context.Context, r *resolved, t target, l *Link) (*amqp.Connection, *socket, error) {
	timeout := r.DialTimeout
	if t.dialTimeout > 0 {
		timeout = t.dialTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	raw, err := (&net.Dialer{}).DialContext(ctx, "tcp", t.addr)
	if err != nil {
		return nil, nil, dialError(ctx, t, err, nil)
	}
	cfg, err := r.tlsConfig(t)
	if err != nil {
		raw.Close()
		return nil, nil, err
	}
	conn := raw
	if cfg != nil {
		client := tls.Client(raw, cfg)
		if err := client.HandshakeContext(ctx); err != nil {
			raw.Close()
			return nil, nil, dialError(ctx, t, err, nil)
		}
		conn = client
	}
	sock := newSocket(conn)
	// The library's handshake knows no context; closing the socket ends it.
	stop := context.AfterFunc(ctx, func() { sock.abort(context.Cause(ctx)) })
	heartbeat := r.Heartbeat
	if t.heartbeat > 0 {
		heartbeat = t.heartbeat
	}
	properties := amqp.NewConnectionProperties()
	properties["product"] = "Bunnicula for Go"
	properties.SetClientConnectionName(fmt.Sprintf("%s (%s)", r.Name, l.purpose))
	var beneath io.ReadWriteCloser = sock
	size := frameSize
	if l.legible {
		beneath, size = newLegible(sock), legibleFrame
	}
	c, err := amqp.Open(beneath, amqp.Config{
		SASL: t.auth(properties), Vhost: t.vhost, Heartbeat: heartbeat,
		FrameSize: size, Locale: "en_US", Properties: properties,
	})
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		cause := sock.cause()
		sock.abort(err)
		return nil, nil, dialError(ctx, t, err, cause)
	}
	sock.expect(c.Config.Heartbeat * 3 / 2)
	return c, sock, nil
}

// frameSize is RabbitMQ's own default. A message's properties must fit one frame.
const frameSize = 128 * 1024

// RefusedError says that the broker does not let us in, and will not until somebody
// changes something: a wrong user, password or vhost, or a certificate that does not fit.
type RefusedError struct {
	Addr string // host:port
	What string // for people, with what to do
	Err  error  // *amqp.Error, or what crypto/tls said
}

func (e *RefusedError) Error() string { return fmt.Sprintf("broker %s refused us: %s", e.Addr, e.What) }
func (e *RefusedError) Unwrap() error { return e.Err }

// dialError makes an error readable, and tells what is permanent. cause is what
// the socket met first: the library keeps only its text.
func dialError(ctx context.Context, t target, err, cause error) error {
	var (
		refused *amqp.Error
		verify  *tls.CertificateVerificationError
		alert   *net.OpError
		record  tls.RecordHeaderError
	)
	for _, e := range []error{cause, err} {
		switch {
		case errors.As(e, &verify):
			return &RefusedError{t.addr, "its certificate is not trusted: " + verify.Err.Error() + " (check CAFile and the host name)", e}
		case e != nil && noCommonVersion.MatchString(e.Error()):
			return &RefusedError{t.addr, "there is no version of TLS in common, and ours are 1.2 and newer unless Config.TLS says otherwise", e}
		// So crypto/tls marks what the peer complains about; only its own errors may pass.
		case errors.As(e, &alert) && alert.Op == "remote error" && alert.Err.Error() != "tls: internal error":
			return &RefusedError{t.addr, alert.Err.Error() + " (check CertFile, KeyFile and their expiry)", e}
		case errors.As(e, &record):
			return &RefusedError{t.addr, "it does not speak TLS on this port (amqp:// instead of amqps://, or another port)", e}
		}
	}
	// Without the Server's word it is only the library's guess at why the handshake was cut short.
	if errors.As(err, &refused) && refused.Server {
		switch refused.Code {
		case amqp.AccessRefused:
			return &RefusedError{t.addr, fmt.Sprintf("user %q: %s (check user and password)", t.username, refused.Reason), refused}
		case amqp.NotAllowed:
			return &RefusedError{t.addr, fmt.Sprintf("vhost %q: %s (check the vhost and the user's permissions)", t.vhost, refused.Reason), refused}
		}
	}
	if cause != nil && !errors.Is(cause, net.ErrClosed) {
		err = fmt.Errorf("the handshake ended: %w", cause)
	}
	if ctx.Err() != nil && !errors.Is(err, context.Cause(ctx)) {
		err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	if op, ok := err.(*net.OpError); ok && op.Op == "dial" { //nolint:errorlint // only the outermost says the same as we do
		err = op.Err
	}
	return fmt.Errorf("dial %s: %w", t.addr, err)
}

// noCommonVersion matches what crypto/tls says, for which it has no type: the first if the peer complains, the second
// if it answers with a version that we do not take.
var noCommonVersion = regexp.MustCompile(`tls: (protocol version not supported|server selected unsupported protocol version)`)

// Permanent says whether err is a refusal that waiting does not mend.
func Permanent(err error) bool {
	var refused *RefusedError
	return errors.As(err, &refused)
}
