package web

import (
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// campaignURL is the page of a build tag. What browsers and http.ServeMux do
// not take for a part of a path is searched for; the empty tag has no page.
func campaignURL(tag string) string {
	switch tag {
	case "":
		return ""
	case ".", "..", "/":
		return "/search?" + url.Values{"build_tag": {tag}}.Encode()
	}
	return "/campaigns/" + url.PathEscape(tag)
}

// resultURL is the page of a result.
func resultURL(id string) string { return "/results/" + url.PathEscape(id) }

// safeLink returns an address if it is one of the web or a relative one, and
// nothing otherwise.
func safeLink(address string) string {
	u, err := url.Parse(address)
	switch {
	case err != nil, u.User != nil, u.Opaque != "", strings.Contains(address, `\`), strings.HasPrefix(address, "//"):
		return "" // browsers read \ as /, and // as another host
	case strings.TrimSpace(address) != address:
		return ""
	case (u.Scheme == "http" || u.Scheme == "https") && u.Host != "":
		return u.String()
	case u.Scheme == "" && u.Host == "" && u.Path != "":
		return u.String()
	}
	return ""
}

// thousands writes a number with commas.
func thousands(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// plural is a number of things: 1 record, 2 records.
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return thousands(n) + " " + thing + "s"
}

// recordTime is how Xtesting writes times: local to the container, without
// zone (spec/testapi-xtesting.md, b.5).
const recordTime = "2006-01-02 15:04:05"

// elapsed is the time between two times of a record, "" if either is none.
func elapsed(start, stop string) string {
	from, errFrom := time.Parse(recordTime, start)
	to, errTo := time.Parse(recordTime, stop)
	if errFrom != nil || errTo != nil || to.Before(from) {
		return ""
	}
	seconds := int(math.Round(to.Sub(from).Seconds()))
	hours, minutes, rest := seconds/3600, seconds/60%60, seconds%60
	switch {
	case hours > 0:
		return fmt.Sprintf("%d h %d min", hours, minutes)
	case minutes > 0:
		return fmt.Sprintf("%d min %d s", minutes, rest)
	}
	return fmt.Sprintf("%d s", rest)
}
