package smtp_test

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/smtp"
)

// exampleServer stands for a server of yours, which does not know Bob.
func exampleServer() (*testserver.SMTP, hawser.Connection, error) {
	server, err := testserver.StartSMTP(testserver.SMTPConfig{
		Users: map[string]string{"jobs": "open sesame"}, RequireLogin: true, TLS: testserver.SMTPExplicit,
		Refuse: map[string]string{"bob@example.com": "550 5.1.1 no such user"},
	})
	if err != nil {
		return nil, hawser.Connection{}, err
	}
	return server, hawser.Connection{
		Name: "mail", Protocol: hawser.SMTP, Host: server.Host(), Port: server.Port(),
		Auth: hawser.Auth{User: "jobs", Password: hawser.NewSecret("open sesame")},
		TLS:  hawser.TLSOptions{Roots: server.CA()}, // of a public server, no Roots
	}, nil
}

// A report is composed and sent to a server that wants a login, over STARTTLS.
func ExampleDialer() {
	server, c, err := exampleServer()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()

	receipt, err := sendReport(context.Background(), c)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("queued as", receipt.QueueID)
	got := server.Mails()[0]
	fmt.Println("from", got.From, "to", got.To, "by", got.User)
	// Output:
	// queued as 4F9D1950001
	// from jobs@example.com to [jo@example.com archive@example.com] by jobs
}

func sendReport(ctx context.Context, c hawser.Connection) (hawser.Receipt, error) {
	session, err := smtp.Dialer{}.Open(ctx, c)
	if err != nil {
		return hawser.Receipt{}, err
	}
	defer session.Close()
	m := &smtp.Message{
		From:        "Jobs <jobs@example.com>",
		To:          []string{"Jo Doe <jo@example.com>"},
		Bcc:         []string{"archive@example.com"},
		Subject:     "All transfers were complete",
		Text:        "The list is attached.",
		Attachments: []smtp.Attachment{smtp.Bytes("report.csv", []byte("file;bytes\nin.xml;1024\n"))},
	}
	return m.Send(ctx, session)
}

// One recipient is refused, and the others get the message, unless it is for all
// or none. Any io.WriterTo is a message, here one that is there as text.
func ExampleSession_Send() {
	server, c, err := exampleServer()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	ctx := context.Background()
	session, err := smtp.Dialer{}.Open(ctx, c)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close()

	const text = "From: jobs@example.com\nSubject: done\n\nAll transfers were complete.\n"
	env := hawser.Envelope{From: "jobs@example.com", To: []string{"ann@example.com", "bob@example.com"}}
	receipt, err := session.Send(ctx, env, strings.NewReader(text))
	fmt.Println("error:", err)
	for _, refused := range receipt.Refused {
		var reply *smtp.Error
		fmt.Println(refused, errors.As(refused, &reply) && reply.Temporary())
	}

	env.AllOrNone = true
	_, err = session.Send(ctx, env, strings.NewReader(text))
	fmt.Println("sent to all or none:", err == nil)
	for _, mail := range server.Mails() {
		fmt.Println(mail.ID, mail.To)
	}
	// Output:
	// error: <nil>
	// bob@example.com: RCPT: 550 5.1.1 no such user false
	// sent to all or none: false
	// 4F9D1950001 [ann@example.com]
}
