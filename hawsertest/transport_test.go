package hawsertest

import (
	"testing"

	"github.com/hawser/hawser"
)

func TestTransportOfDirect(t *testing.T) {
	TestTransport(t, TransportHarness{Transport: hawser.Direct{}, Connection: hawser.Connection{Name: "direct", Protocol: hawser.FTP}})
}
