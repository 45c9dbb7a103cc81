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
	cmd := exec.Command("bash", "-c", `read -r _ || exec "$0" wipe`, filepath.Join(root, "scripts", "broker"))
	cmd.Env = os.Environ()
	for name, value := range node {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
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
