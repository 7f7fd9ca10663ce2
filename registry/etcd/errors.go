package etcd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/hawser/hawser"
)

// answerWithin bounds the wait for one answer of etcd, also of a caller whose
// context has no end.
const answerWithin = 10 * time.Second

// ask runs fn, which asks etcd once, and explains its error. what is what is
// done, as errors say it: `look up "bank"`.
func ask[T any](ctx context.Context, client *clientv3.Client, what string, fn func(ctx context.Context) (T, error)) (T, error) {
	bounded, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	answer, err := fn(bounded)
	if err != nil {
		err = fmt.Errorf("etcd: %s: %w", what, explainOf(ctx, client, err))
	}
	return answer, err
}

func explainOf(ctx context.Context, client *clientv3.Client, err error) error {
	if ctx.Err() == nil && client.Ctx().Err() != nil {
		return fmt.Errorf("the client is closed: %w", net.ErrClosed)
	}
	return explain(ctx, client.Endpoints(), client.Username, err, troubleOf(client))
}

// explain says what err, of a call that ctx and answerWithin bounded, means. An
// error of a ctx that ended is the context's own; no other is. trouble is why there
// is no connection, if that is known.
func explain(ctx context.Context, endpoints []string, user string, err, trouble error) error {
	who := strings.Join(endpoints, ", ")
	end := ctx.Err()
	if end == nil && timedOut(err) && endsSoon(ctx) {
		end = context.DeadlineExceeded
	}
	switch {
	case end != nil && trouble == nil:
		return end
	case end != nil:
		return fmt.Errorf("no connection to %s: %w: %w", who, trouble, end)
	case timedOut(err) && trouble == nil:
		return fmt.Errorf("no answer from %s within %v: %w", who, answerWithin, os.ErrDeadlineExceeded)
	case timedOut(err):
		return fmt.Errorf("no connection to %s within %v: %w: %w", who, answerWithin, trouble, os.ErrDeadlineExceeded)
	case errors.Is(err, rpctypes.ErrAuthFailed):
		return fmt.Errorf("%w: %s does not know the user %q with this password", hawser.ErrAuth, who, user)
	case errors.Is(err, rpctypes.ErrUserEmpty):
		return fmt.Errorf("%w: %s asks for a user and a password, and has got none", hawser.ErrAuth, who)
	case errors.Is(err, rpctypes.ErrPermissionDenied):
		return fmt.Errorf("%w: the roles of the user %q of %s do not cover it", fs.ErrPermission, user, who)
	case errors.Is(err, rpctypes.ErrRequestTooLarge), status.Code(err) == codes.ResourceExhausted:
		return fmt.Errorf("%w: it is larger than etcd takes, which is 1.5 MiB unless --max-request-bytes says another", &rejection{err})
	}
	return &rejection{err}
}

func timedOut(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || status.Code(err) == codes.DeadlineExceeded
}

// endsSoon reports whether the deadline of ctx, and not answerWithin, ended a
// call: etcd, which is told of it, may notice a moment before ctx does.
func endsSoon(ctx context.Context) bool {
	end, ok := ctx.Deadline()
	return ok && time.Until(end) < time.Second
}

// persist is ask that asks again while etcd cannot be reached. What fn asks for may
// be done more than once.
func persist[T any](ctx context.Context, client *clientv3.Client, what string, fn func(ctx context.Context) (T, error)) (T, error) {
	return ask(ctx, client, what, func(ctx context.Context) (T, error) {
		for pause := shortestPause; ; pause = min(2*pause, longestPause) {
			// Most calls wait by themselves for a connection, and few come back.
			answer, err := fn(ctx)
			if err == nil || !unavailable(err) || !sleep(ctx, pause) {
				return answer, err
			}
		}
	})
}

const (
	shortestPause = 20 * time.Millisecond
	longestPause  = time.Second
)

// sleep reports false if ctx ended before d was over.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// unavailable reports whether err, as etcd's client returned it, says that etcd
// cannot be reached or has no leader now.
func unavailable(err error) bool {
	if known := (rpctypes.EtcdError{}); errors.As(err, &known) {
		return known.Code() == codes.Unavailable
	}
	return status.Code(err) == codes.Unavailable
}

// A rejection is an error of etcd or of the way there, whose text is not trusted.
type rejection struct{ err error }

func (r *rejection) Error() string { return hawser.Printable(r.err.Error()) }

func (r *rejection) Unwrap() error { return r.err }
