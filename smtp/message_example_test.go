package smtp_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/template"
	"time"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/smtp"
)

// A report goes to two people, with the file that it is about.
func ExampleMessage() {
	m := &smtp.Message{
		From:        "Jobs <jobs@example.com>",
		To:          []string{"Jo Doe <jo@example.com>"},
		Bcc:         []string{"archive@example.com"},
		Subject:     "Bericht für März",
		Text:        "All transfers were complete.",
		Attachments: []smtp.Attachment{smtp.Bytes("report.csv", []byte("file;bytes\nin.xml;1024\n"))},
		Header:      []smtp.Field{{Name: "Auto-Submitted", Value: "auto-generated"}}, // no holiday replies
		Date:        time.Date(2026, 4, 1, 6, 0, 0, 0, time.UTC),                     // left out: now
		MessageID:   "42@example.com",                                                // left out: made up
	}
	env, err := m.Envelope()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(env.From, env.To)

	// m.Send(ctx, session) sends it.
	var text strings.Builder
	if _, err := m.WriteTo(&text); err != nil {
		fmt.Println(err)
	}
	fmt.Print(strings.ReplaceAll(text.String(), "\r\n", "\n"))
	// Output:
	// jobs@example.com [jo@example.com archive@example.com]
	// Date: Wed, 01 Apr 2026 06:00:00 +0000
	// From: "Jobs" <jobs@example.com>
	// To: "Jo Doe" <jo@example.com>
	// Subject: =?utf-8?b?QmVyaWNodCBmw7xyIE3DpHJ6?=
	// Message-ID: <42@example.com>
	// Auto-Submitted: auto-generated
	// MIME-Version: 1.0
	// Content-Type: multipart/mixed; boundary="=_9653cc0405b06f93f651fa53_mixed"
	//
	// --=_9653cc0405b06f93f651fa53_mixed
	// Content-Type: text/plain; charset=utf-8
	// Content-Transfer-Encoding: 7bit
	//
	// All transfers were complete.
	//
	// --=_9653cc0405b06f93f651fa53_mixed
	// Content-Type: text/csv
	// Content-Disposition: attachment; filename="report.csv"
	// Content-Transfer-Encoding: base64
	//
	// ZmlsZTtieXRlcwppbi54bWw7MTAyNAo=
	// --=_9653cc0405b06f93f651fa53_mixed--
}

// Several people get a mail each: a copy of one that is never written itself, so
// that each has an ID of its own.
func ExampleMessage_Send() {
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

	letter := smtp.Message{From: "Jobs <jobs@example.com>", Subject: "Your statement"}
	text := template.Must(template.New("text").Parse("Dear {{.}},\n\nit is ready.\n"))
	for _, name := range []string{"Ann", "Bob", "Cem"} {
		m := letter
		m.To = []string{name + " <" + strings.ToLower(name) + "@example.com>"}
		var body strings.Builder
		if err := text.Execute(&body, name); err != nil {
			fmt.Println(err)
			return
		}
		m.Text = body.String()
		if _, err := m.Send(ctx, session); err != nil { // Bob's, whom nobody there knows; the others get theirs
			fmt.Println("not sent to", name, errors.Is(err, hawser.ErrMaybeSent))
		}
	}

	ids := map[string]bool{}
	for _, got := range server.Mails() {
		header, body, _ := strings.Cut(string(got.Data), "\r\n\r\n")
		_, id, _ := strings.Cut(header, "\r\nMessage-ID: ")
		ids[id] = true
		greeting, _, _ := strings.Cut(body, "\r\n")
		fmt.Println(got.To, greeting)
	}
	fmt.Println(len(ids), "IDs")
	// Output:
	// not sent to Bob false
	// [ann@example.com] Dear Ann,
	// [cem@example.com] Dear Cem,
	// 2 IDs
}

// What is wrong is told at once, all of it.
func ExampleMessage_Validate() {
	m := &smtp.Message{
		To:          []string{"jo@example.com", "Ann"},
		Subject:     "report\r\nBcc: all@example.com",
		Attachments: []smtp.Attachment{smtp.Bytes("out/", nil)},
		Header:      []smtp.Field{{Name: "Subject", Value: "another"}},
	}
	fmt.Println(m.Validate())
	// Output:
	// from: is empty; want an address such as "Jobs <jobs@example.com>"
	// to[1]: "Ann" is not an address (mail: missing '@' or angle-addr); want one such as "Jo Doe <jo@example.com>"
	// subject: holds the control character '\r'; leave it out
	// attachments[0].name: "out/" has no file name at its end
	// header[0].name: "Subject" would be there twice; set the field subject of the message
}
