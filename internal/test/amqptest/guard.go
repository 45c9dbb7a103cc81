package amqptest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// guard wipes the node should this process end without a cleanup: of go test's timeout, or kill -9. The node
// would run for ever. It is a shell that reads from a pipe, of which only we have the other end; dismiss
// tells it that all is well.
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
