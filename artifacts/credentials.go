package artifacts

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/anuket-project/xtci/config"
)

// Credentials are a key for an object store. The zero value is none: what
// everybody may read.
type Credentials struct {
	AccessKey string
	SecretKey config.Secret
}

// maxCredentials is the largest credentials file that is read.
const maxCredentials = 1 << 20

// ReadCredentials reads a key from a file as the AWS tools and boto have it,
// ~/.aws/credentials: of the profile named, or of default. No error shows
// what is in the file.
func ReadCredentials(file, profile string) (Credentials, error) {
	if profile == "" {
		profile = "default"
	}
	f, err := os.Open(file)
	if err != nil {
		return Credentials{}, fmt.Errorf("read the credentials: %w", err)
	}
	defer f.Close()
	c, err := parseCredentials(io.LimitReader(f, maxCredentials), profile)
	if err != nil {
		return Credentials{}, fmt.Errorf("read the credentials: %s: %w", file, err)
	}
	return c, nil
}

func parseCredentials(r io.Reader, profile string) (Credentials, error) {
	var c Credentials
	found, inside := false, false
	lines := bufio.NewScanner(r)
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimSpace(lines.Text())
		switch {
		case line == "", line[0] == '#', line[0] == ';':
			continue
		case line[0] == '[':
			name, ok := strings.CutSuffix(line[1:], "]")
			if !ok {
				return Credentials{}, fmt.Errorf("line %d: a section's name wants a closing bracket", number)
			}
			inside = strings.TrimSpace(name) == profile
			found = found || inside
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			return Credentials{}, fmt.Errorf("line %d: want NAME = VALUE", number)
		}
		if !inside {
			continue
		}
		switch strings.TrimSpace(key) {
		case "aws_access_key_id":
			c.AccessKey = strings.TrimSpace(value)
		case "aws_secret_access_key":
			c.SecretKey = config.Secret(strings.TrimSpace(value))
		}
	}
	if err := lines.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			err = errors.New("a line is too long")
		}
		return Credentials{}, err
	}
	if !found {
		return Credentials{}, fmt.Errorf("no section [%s] in it", profile)
	}
	if c.AccessKey == "" || c.SecretKey == "" {
		return Credentials{}, fmt.Errorf("section [%s] wants aws_access_key_id and aws_secret_access_key", profile)
	}
	return c, nil
}
