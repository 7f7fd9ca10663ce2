package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/certs"
)

// refuseImpostor shows that a server with another host key is not let in, and
// is told no password.
func (s *story) refuseImpostor(ctx context.Context, c hawser.Connection) error {
	s.headline("Testing %q at a server that shows another host key", c.Name)
	report := s.test(ctx, c)
	var untrusted *certs.UntrustedError
	if !errors.As(report.Err, &untrusted) {
		return fmt.Errorf("the impostor was not refused: %w", report.Err)
	}
	s.say("expected   %s", strings.Join(untrusted.Question.Known, ", "))
	s.say("presented  %s", untrusted.Question.Fingerprint)
	s.say("Refused before the login, as it should be: the password was not sent.")
	return nil
}

// acceptCertificate shows what becomes of a server whose certificate nobody
// vouches for: it is refused with everything that is wrong, somebody is asked
// when there is time, and the next attempt works.
func (s *story) acceptCertificate(ctx context.Context, trust certs.Store, c hawser.Connection) error {
	s.headline("Testing %q, by FTP over TLS: nobody knows its certificate", c.Name)
	report := s.test(ctx, c)
	var untrusted *certs.UntrustedError
	if !errors.As(report.Err, &untrusted) {
		return fmt.Errorf("an unknown certificate was not refused: %w", report.Err)
	}
	s.say("presented  %s", untrusted.Question.Fingerprint)
	for _, f := range untrusted.Question.Findings {
		s.say("%s: %s", f.Anomaly, f.Detail)
	}
	s.say("Refused; it waits as question %s.", untrusted.Pending)

	s.headline("Somebody compares the fingerprint and answers: accept always")
	answer := certs.Answer{Decision: certs.AcceptAlways, By: "you", Comment: "it is my own server"}
	if err := trust.Answer(ctx, untrusted.Pending, answer); err != nil {
		return err
	}
	return s.test(ctx, c).Err
}
