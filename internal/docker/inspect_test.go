package docker_test

import (
	"os/exec"
	"strings"
	"testing"
)

// inspect asks the docker command, which this package has no part in.
func inspect(t *testing.T, id, format string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "docker", "inspect", "--format", format, id).CombinedOutput()
	if err != nil {
		t.Fatalf("docker inspect: %v\n%s", err, out)
	}
	return strings.TrimSpace(string(out))
}
