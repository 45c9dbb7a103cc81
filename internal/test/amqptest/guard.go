package amqptest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// guard wipes the node if this process ends without a cleanup: by go test's timeout, or by kill -9.
// Otherwise the node would run for ever. The guard is a shell that reads from a pipe. Only this
// process has the other end. dismiss ends the guard without a wipe.
func guard(node environment) (dismiss func() error, err error) {
	root, err := moduleRoot()
	if err != nil {
		return nil, err
	}
	var env []string
	for name, value := range node {
		env = append(env, name+"="+value)
	}
	return Guard(filepath.Join(root, "scripts", "broker"), env)
}

// Guard runs "script wipe", with env added to the environment, if this process ends without a
// dismiss.
func Guard(script string, env []string) (dismiss func() error, err error) {
	cmd := exec.Command("bash", "-c", `read -r _ || exec "$0" wipe`, script)
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = detached()
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return func() error {
		_, err := fmt.Fprintln(pipe, "dismissed")
		if ended := cmd.Wait(); err == nil {
			err = ended
		}
		return err
	}, nil
}
