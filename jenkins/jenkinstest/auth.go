package jenkinstest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// anonymous is who sends no credentials.
const anonymous = "anonymous"

// An identity is who sends a request.
type identity struct {
	user    string
	session string // the session that the request belongs to, or empty
	token   bool   // an API token was sent: no crumb is needed
}

// A keeper knows users, and the sessions and crumbs of one boot.
type keeper struct {
	users []User
	delay time.Duration

	mu       sync.Mutex
	salt     string
	cookie   string            // its name
	sessions map[string]string // id to who logged in by form, or empty
	tokens   map[string]string // tokens, which survive a restart, to users
}

func newKeeper(users []User, delay time.Duration) *keeper {
	k := &keeper{users: users, delay: delay, tokens: map[string]string{}}
	k.boot()
	return k
}

// boot forgets sessions and crumbs, as a restart does.
func (k *keeper) boot() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.salt, k.sessions = rand.Text(), map[string]string{}
	k.cookie = "JSESSIONID." + randomHex(4)
}

func randomHex(bytes int) string {
	random := make([]byte, bytes)
	rand.Read(random)
	return hex.EncodeToString(random)
}

// identify says who sends a request. It is false for a wrong password.
func (k *keeper) identify(r *http.Request) (identity, bool) {
	who := identity{user: anonymous}
	k.mu.Lock()
	loggedIn := ""
	if cookie, err := r.Cookie(k.cookie); err == nil {
		if user, ok := k.sessions[cookie.Value]; ok {
			who.session, loggedIn = cookie.Value, user
		}
	}
	k.mu.Unlock()
	if loggedIn != "" {
		who.user = loggedIn
	}
	name, password, sent := r.BasicAuth()
	if !sent {
		return who, true
	}
	if name == loggedIn { // it need not be authenticated again
		return who, true
	}
	k.mu.Lock()
	owner, isToken := k.tokens[password]
	k.mu.Unlock()
	if isToken && owner == name {
		who.user, who.token = name, true
		return who, true
	}
	if !k.check(r.Context(), name, password) {
		return who, false
	}
	who.user = name
	return who, true
}

// check says whether a password is right, which takes its time.
func (k *keeper) check(ctx context.Context, name, password string) bool {
	wait(ctx, k.delay)
	i := slices.IndexFunc(k.users, func(u User) bool { return u.Name == name })
	return i >= 0 && k.users[i].Password == password
}

// wait waits, or until the context is done.
func wait(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// open makes sure that the request has a session: what is not one yet is set
// as a cookie.
func (k *keeper) open(w http.ResponseWriter, who *identity, path string) {
	if who.session == "" {
		k.start(w, who, "", path)
	}
}

// start starts a session of who logged in, or of nobody.
func (k *keeper) start(w http.ResponseWriter, who *identity, user, path string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	who.session = "node0" + strings.ToLower(rand.Text()) + ".node0"
	k.sessions[who.session] = user
	if path == "" {
		path = "/"
	}
	http.SetCookie(w, &http.Cookie{Name: k.cookie, Value: who.session, Path: path, HttpOnly: true})
}

// crumb is valid for one user in one session.
func (k *keeper) crumb(who identity) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	sum := sha256.Sum256([]byte(who.user + "\x00" + who.session + "\x00" + k.salt))
	return hex.EncodeToString(sum[:])
}

// newToken makes an API token of a user.
func (k *keeper) newToken(user string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	token := "11" + randomHex(16)
	k.tokens[token] = user
	return token
}

// may says whether somebody has a permission. Anonymous may read what the
// role's matrix lets it: the root, and nothing in it.
func (k *keeper) may(who identity, permission string) bool {
	if who.user == anonymous {
		return permission == Read
	}
	i := slices.IndexFunc(k.users, func(u User) bool { return u.Name == who.user })
	if i < 0 {
		return false
	}
	all := k.users[i].Permissions
	return all == nil || slices.Contains(all, permission) || slices.Contains(all, Administer)
}
