package smtp_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/smtp"
)

// A mailerFunc is the Send of a Mailer.
type mailerFunc func(context.Context, hawser.Envelope, io.WriterTo) (hawser.Receipt, error)

func (f mailerFunc) Send(ctx context.Context, env hawser.Envelope, msg io.WriterTo) (hawser.Receipt, error) {
	return f(ctx, env, msg)
}

func TestMessageSendIsSendOfTheMailerByItsOwnEnvelope(t *testing.T) {
	t.Parallel()
	m := full()
	want, err := m.Envelope()
	require.NoError(t, err)
	result, failed := hawser.Receipt{QueueID: "1"}, errors.New("down")
	receipt, err := m.Send(t.Context(), mailerFunc(func(ctx context.Context, env hawser.Envelope, msg io.WriterTo) (hawser.Receipt, error) {
		assert.Equal(t, t.Context(), ctx)
		assert.Equal(t, want, env)
		assert.Same(t, m, msg)
		return result, failed
	}))
	assert.Equal(t, result, receipt)
	assert.Equal(t, failed, err)
}

func TestMessageSendRefusesBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	never := mailerFunc(func(context.Context, hawser.Envelope, io.WriterTo) (hawser.Receipt, error) {
		t.Error("was sent")
		return hawser.Receipt{}, nil
	})
	for _, row := range []struct {
		name string
		m    *smtp.Message
		by   hawser.Mailer
		want string
	}{
		{"an invalid message", &smtp.Message{From: "jobs@example.com"}, never, "to"},
		{"no message", nil, never, "message"},
		{"no mailer", minimal(), nil, "mailer"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			_, err := row.m.Send(t.Context(), row.by)
			var problem *hawser.FieldError
			require.ErrorAs(t, err, &problem)
			assert.Equal(t, row.want, problem.Field)
		})
	}
}

// A domain that is not ASCII is one that every server knows by another name.
func TestMessageToADomainThatIsNotASCIINeedsNoSMTPUTF8(t *testing.T) {
	t.Parallel()
	c, server := startInProcess(t, testserver.SMTPConfig{
		Without: []string{"SMTPUTF8", "8BITMIME"},
		Refuse:  map[string]string{"nobody@xn--bcher-kva.example": "550 5.1.1 no such user"},
	})
	m := &smtp.Message{
		From: "Jörg <jobs@bücher.example>", To: []string{"jo@bücher.example, jo@xn--bcher-kva.example", "nobody@bücher.example"},
		Text: "Grüße",
	}
	receipt, err := m.Send(t.Context(), open(t, c))
	require.NoError(t, err)
	require.Len(t, receipt.Refused, 1)
	assert.Equal(t, "nobody@bücher.example", receipt.Refused[0].Address, "as it was given")
	require.Len(t, server.Mails(), 1)
	got := server.Mails()[0]
	assert.Equal(t, []string{"jobs@xn--bcher-kva.example", "jo@xn--bcher-kva.example"}, append([]string{got.From}, got.To...))
	assert.Contains(t, string(got.Data), "@xn--bcher-kva.example>\r\nMIME-Version", "the Message-ID")
	checkWire(t, string(got.Data), false)
}
