package hawser

import (
	"context"
	"errors"
	"iter"
	"strings"
	"sync"
)

const (
	// testing is how many connections TestAll tests at once.
	testing = 8
	// testingServer is how many of them may lead to one server: some refuse or ban
	// who comes with many logins at once (OpenSSH: MaxStartups).
	testingServer = 2
)

// TestAll tests every connection of the Registry as [Manager.Test] does, eight at a
// time, but no more than two, and no more than its Limits.Sessions, of one server. It
// yields each Report as it comes in. A Registry that fails, or a ctx that ends before
// every connection was tested, yields a Report of its error alone. Breaking out of
// the loop ends the tests that still run.
func (m *Manager) TestAll(ctx context.Context) iter.Seq[Report] {
	return func(yield func(Report) bool) {
		ctx, cancel := context.WithCancel(ctx)
		var workers sync.WaitGroup
		reports := make(chan Report)
		workers.Go(func() { m.testEach(ctx, &workers, reports) })
		go func() { // ends with the last worker, whom the drain below lets go
			workers.Wait()
			close(reports)
		}()
		defer func() {
			cancel()
			for range reports {
			}
		}()
		for report := range reports {
			if !yield(report) {
				return
			}
		}
	}
}

// testEach starts a worker for each connection, as many at once as may be.
func (m *Manager) testEach(ctx context.Context, workers *sync.WaitGroup, reports chan<- Report) {
	if m.Registry == nil {
		reports <- Report{Err: errors.New("manager has no Registry")}
		return
	}
	found := make(chan Connection)
	all := false // read once found is closed
	workers.Go(func() {
		defer close(found)
		all = m.findAll(ctx, found, reports)
	})
	plan := testPlan{servers: map[string]*testServer{}}
	ended := make(chan *testServer, testing) // has room for each that runs
	for more := true; more || plan.left > 0; {
		if c, server, ok := plan.next(); ok {
			workers.Go(func() {
				reports <- m.Test(ctx, c)
				ended <- server
			})
			continue
		}
		select {
		case c, ok := <-found:
			if !ok {
				more, found = false, nil
				continue
			}
			plan.add(c)
		case server := <-ended:
			plan.end(server)
		case <-ctx.Done():
			reports <- Report{Err: &Error{Op: "test", Err: ctx.Err()}}
			return
		}
	}
	if !all && ctx.Err() != nil {
		reports <- Report{Err: &Error{Op: "test", Err: ctx.Err()}}
	}
}

// findAll sends every connection of the Registry, which is not held up by tests. It
// reports whether it came to the end.
func (m *Manager) findAll(ctx context.Context, found chan<- Connection, reports chan<- Report) bool {
	for c, err := range m.Registry.All(ctx) {
		if ctx.Err() != nil {
			return false
		}
		if err != nil {
			reports <- Report{Err: &Error{Op: "test", Phase: PhaseLookup, Err: err}}
			return true
		}
		select {
		case found <- c:
		case <-ctx.Done():
			return false
		}
	}
	return ctx.Err() == nil
}

// A testPlan is what TestAll has to test, and what it tests now.
type testPlan struct {
	servers map[string]*testServer
	order   []*testServer // in which they were found
	left    int           // connections that wait
	running int
}

// A testServer is the connections of one server.
type testServer struct {
	waiting []Connection
	running int
}

func (p *testPlan) add(c Connection) {
	key := strings.ToLower(c.Addr()) + " via " + c.Via
	server := p.servers[key]
	if server == nil {
		server = &testServer{}
		p.servers[key] = server
		p.order = append(p.order, server)
	}
	server.waiting = append(server.waiting, c)
	p.left++
}

// next takes a connection that may be tested now, if there is one.
func (p *testPlan) next() (c Connection, server *testServer, ok bool) {
	if p.running == testing || p.left == 0 {
		return Connection{}, nil, false
	}
	for _, server := range p.order {
		if len(server.waiting) == 0 || server.running >= min(testingServer, server.waiting[0].Limits.orDefaults().Sessions) {
			continue
		}
		c, server.waiting = server.waiting[0], server.waiting[1:]
		server.running++
		p.running++
		p.left--
		return c, server, true
	}
	return Connection{}, nil, false
}

func (p *testPlan) end(server *testServer) {
	server.running--
	p.running--
}
