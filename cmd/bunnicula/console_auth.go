package main

import (
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/bunnicula-go/bunnicula/console"
)

// consoleDoor says who is let into the console, and by which proxies.
type consoleDoor struct {
	auth    string
	proxies []string
	keyFile string
}

// users returns the file of --auth basic:FILE, "" for --auth link.
func (d consoleDoor) users() (file string, err error) {
	if d.auth == "link" {
		return "", nil
	}
	file, ok := strings.CutPrefix(d.auth, "basic:")
	if !ok || file == "" {
		return "", fmt.Errorf("--auth is %q, want link or basic:FILE", d.auth)
	}
	return file, nil
}

// trusted reads --trusted-proxy.
func (d consoleDoor) trusted() (all []netip.Prefix, err error) {
	for _, text := range d.proxies {
		p, err := netip.ParsePrefix(text)
		if a, single := netip.ParseAddr(text); single == nil {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil {
			return nil, fmt.Errorf("--trusted-proxy is %q, want an address or a range such as 10.0.0.0/8", text)
		}
		all = append(all, p.Masked())
	}
	return all, nil
}

// check refuses what cannot be meant.
func (d consoleDoor) check() error {
	if _, err := d.users(); err != nil {
		return err
	}
	_, err := d.trusted()
	return err
}

// open sets who is let in. Without a file of users it is who has a link of the Login.
func (d consoleDoor) open(cfg *console.Config, tls bool) (login *console.Login, err error) {
	if cfg.TrustedProxies, err = d.trusted(); err != nil {
		return nil, err
	}
	if d.keyFile != "" {
		if cfg.Key, err = console.ReadKey(d.keyFile); err != nil {
			return nil, flagError("--key-file", err)
		}
	}
	file, err := d.users()
	if err != nil {
		return nil, err
	}
	if file != "" {
		users, err := console.NewBasic(file, cfg.Log)
		if err != nil {
			return nil, flagError("--auth", err)
		}
		cfg.Identify = users.Identify
		return nil, nil
	}
	login, err = console.NewLogin(tls, nil)
	cfg.Login = login
	return login, err
}

// flagError says by which flag an error has come, in place of the package that has made it.
func flagError(flag string, err error) error {
	return fmt.Errorf("%s: %s", flag, strings.TrimPrefix(err.Error(), "console: "))
}

// welcome is what is printed once the console listens.
func (o consoleOptions) welcome(at net.Addr, login *console.Login) string {
	if login == nil {
		return o.link(at, "", "") + "\nLog in as a user of the file. ^C ends the console.\n"
	}
	return o.link(at, "login", "token="+login.Token()) + "\nThe link works once, for 10 minutes. ^C ends the console.\n"
}
