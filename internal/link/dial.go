package link

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"regexp"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// dial opens the n-th TCP connection of a session to t, within the dial timeout. If the login has
// to be asked for, that has as long again.
func (l *link) dial(t Target, n int) (*member, error) {
	set := l.settings()
	raw, t, deadline, err := l.reach(t)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithDeadline(l.ctx, deadline)
	defer cancel()
	conn := raw
	if t.TLS != nil {
		cfg, err := t.TLS()
		if err != nil {
			raw.Close()
			return nil, err
		}
		client := tls.Client(raw, cfg)
		if err := handshake(ctx, client); err != nil {
			raw.Close()
			return nil, dialError(ctx, t, err, nil)
		}
		conn = client
	}
	sock := newSocket(conn)
	// The handshake of the library takes no context. Closing the socket ends it.
	stop := context.AfterFunc(ctx, func() { sock.abort(context.Cause(ctx)) })
	properties := amqp.NewConnectionProperties()
	properties["product"], properties["app"] = "Bunnicula for Go", set.Name
	if set.Version != "" {
		properties["app_version"] = set.Version
	}
	purpose := l.purpose
	if n > 1 {
		purpose += fmt.Sprintf(", %d", n)
	}
	properties.SetClientConnectionName(fmt.Sprintf("%s (%s)", set.Name, purpose))
	size := frameSize
	if l.use.isReading() {
		size = wideFrame
	}
	in := newReader(sock, l.use)
	c, err := amqp.Open(in, amqp.Config{
		SASL: t.auth(properties), Vhost: t.VHost, Heartbeat: cmp.Or(t.Heartbeat, set.Heartbeat),
		FrameSize: size, Locale: "en_US", Properties: properties,
	})
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		cause := sock.cause()
		sock.abort(err)
		return nil, dialError(ctx, t, err, cause)
	}
	sock.expect(c.Config.Heartbeat * 3 / 2)
	m := &member{conn: c, socket: sock, frame: c.Config.FrameSize, user: t.Username, expires: t.expires}
	if l.use.isReading() { // the library has been told of larger frames
		m.frame = in.frameSize()
	}
	return m, nil
}

// patience bounds one attempt to connect, and one call for a login.
func (l *link) patience(t Target) time.Duration {
	return cmp.Or(t.DialTimeout, l.settings().DialTimeout)
}

// reach opens the socket, and then asks for the login, if that is to be asked for. So an
// application is not asked at each try while the broker is away: each answer may cost a lease. The
// deadline is that of the whole attempt, to which the time of the login is added.
func (l *link) reach(t Target) (raw net.Conn, as Target, deadline time.Time, err error) {
	deadline = time.Now().Add(l.patience(t))
	raw, err = l.tcp(t, deadline)
	if err != nil || t.Login == nil {
		return raw, t, deadline, err
	}
	began := time.Now()
	login, err := l.login(t)
	if err != nil {
		raw.Close()
		return nil, t, deadline, err
	}
	t.Username, t.Password, t.expires = login.Username, login.Password, login.Expires
	took := time.Since(began)
	deadline = deadline.Add(took)
	if took > slowLogin {
		raw.Close()
		raw, err = l.tcp(t, deadline)
	}
	return raw, t, deadline, err
}

func (l *link) login(t Target) (Login, error) {
	if t.given != nil {
		return t.given(), nil
	}
	ctx, cancel := context.WithTimeout(l.ctx, l.patience(t))
	defer cancel()
	return t.Login(ctx)
}

// slowLogin is how old a socket may be when the handshake begins. The broker waits 10 s for one.
const slowLogin = 3 * time.Second

func (l *link) tcp(t Target, deadline time.Time) (net.Conn, error) {
	ctx, cancel := context.WithDeadline(l.ctx, deadline)
	defer cancel()
	raw, err := (&net.Dialer{}).DialContext(ctx, "tcp", t.Addr)
	if err != nil {
		return nil, dialError(ctx, t, err, nil)
	}
	return raw, nil
}

// handshake is the handshake of TLS. The configuration may hold functions of the user, such as
// VerifyPeerCertificate. A panic of one is an error, because it would end the process.
func handshake(ctx context.Context, client *tls.Conn) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("a function of the TLS configuration panicked: %v", p)
		}
	}()
	return client.HandshakeContext(ctx)
}

// frameSize is RabbitMQ's own default. A message's properties must fit one frame.
const frameSize = 128 * 1024

// dialError makes an error readable, and decides whether the refusal is permanent. cause is the
// first error of the socket. It is needed because the library keeps only the text of that error.
func dialError(ctx context.Context, t Target, err, cause error) error {
	note := ""
	if t.Note != "" {
		note = " (" + t.Note + ")"
	}
	for _, e := range []error{cause, err} {
		if what := tlsRefusal(e); what != "" {
			return &transport.RefusedError{Addr: t.Addr, What: what, Err: e}
		}
	}
	// Only an error from the server is a refusal. Without one, the library guesses why the
	// handshake was cut short.
	var refused *amqp.Error
	if errors.As(err, &refused) && refused.Server {
		switch {
		case reachesLimit(refused):
			return fmt.Errorf("dial %s: user %q, vhost %q: %w", t.Addr, t.Username, t.VHost, refused)
		case refused.Code == amqp.AccessRefused:
			return &transport.RefusedError{Addr: t.Addr, What: fmt.Sprintf("user %q: %s (%s)%s", t.Username, refused.Reason, t.checkLogin(time.Now()), note), Err: refused}
		case refused.Code == amqp.NotAllowed:
			return &transport.RefusedError{Addr: t.Addr, What: fmt.Sprintf("vhost %q: %s (check the vhost and the user's permissions)%s", t.VHost, refused.Reason, note), Err: refused}
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
	return fmt.Errorf("dial %s: %w%s", t.Addr, err, note)
}

// checkLogin says what to look at when the login is refused.
func (t Target) checkLogin(now time.Time) string {
	switch {
	case t.Login == nil:
		return "check user and password"
	case !t.expires.IsZero() && t.expires.Before(now):
		return fmt.Sprintf("check Config.Credentials: by this clock its secret had expired %s before", now.Sub(t.expires).Round(time.Second))
	}
	return "check what Config.Credentials gives"
}

// tlsRefusal describes an error of TLS for people. It is "" for other errors.
func tlsRefusal(err error) string {
	var (
		verify *tls.CertificateVerificationError
		alert  *net.OpError
		record tls.RecordHeaderError
	)
	switch {
	case err == nil:
	case errors.As(err, &verify):
		return "its certificate is not trusted: " + verify.Err.Error() + " (check CAFile and the host name)"
	case noCommonVersion.MatchString(err.Error()):
		return "there is no version of TLS in common, and ours are 1.2 and newer unless Config.TLS says otherwise"
	// crypto/tls marks an alert of the peer as "remote error". Of those only an internal error of
	// the peer may pass by itself.
	case errors.As(err, &alert) && alert.Op == "remote error" && alert.Err.Error() != "tls: internal error":
		return alert.Err.Error() + " (check CertFile, KeyFile and their expiry)"
	case errors.As(err, &record):
		return "it does not speak TLS on this port (amqp:// instead of amqps://, or another port)"
	}
	return ""
}

// noCommonVersion matches two errors of crypto/tls that have no type. The first one is an alert of
// the peer. The second one means that the peer has chosen a version that this client does not
// accept.
var noCommonVersion = regexp.MustCompile(`tls: (protocol version not supported|server selected unsupported protocol version)`)
