package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"mime"
	"net/mail"
	"strings"
	"time"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/smtp"
)

// formerColleague is whom the embedded server does not know.
const formerColleague = "former@example.com"

// mail tests a connection by its name, sends a report to three recipients, one
// of whom the server refuses, and shows what the server has got.
func (s *story) mail(ctx context.Context, connection string, mailbox func() []testserver.Mail) error {
	c, err := s.m.Registry.Lookup(ctx, connection)
	if err != nil {
		return err
	}
	s.headline("Testing %q, by SMTP with STARTTLS", connection)
	if err := s.test(ctx, c).Err; err != nil {
		return err
	}
	m, err := newReport()
	if err != nil {
		return err
	}
	receipt, err := s.send(ctx, connection, m)
	if err != nil {
		return err
	}
	return s.showMail(receipt, mailbox())
}

// newReport composes a mail of text, HTML with an image, and a file.
func newReport() (*smtp.Message, error) {
	chart, err := drawChart(8, 5, 9, 3, 7)
	if err != nil {
		return nil, err
	}
	return &smtp.Message{
		From:    "Nightly jobs <jobs@example.com>",
		To:      []string{"Jo Doe <jo@example.com>", formerColleague},
		Bcc:     []string{"archive@example.com"}, // who gets it too, and stands in no header
		Subject: "Files of the week ✓",
		Text:    "All files of the week were moved.\n",
		HTML:    `<p>All files of the week were moved.</p><p><img src="cid:chart.png" alt="files a day"></p>`,
		Inline:  []smtp.Attachment{smtp.Bytes("chart.png", chart)},
		// smtp.File attaches one of the disk, which is read while it is sent.
		Attachments: []smtp.Attachment{smtp.Bytes("week.csv", []byte("day;files\nMo;8\nTu;5\nWe;9\nTh;3\nFr;7\n"))},
		Header:      []smtp.Field{{Name: "Auto-Submitted", Value: "auto-generated"}}, // nobody's holiday reply is wanted
	}, nil
}

// drawChart returns a PNG of a bar for each value.
func drawChart(values ...int) ([]byte, error) {
	const width, height, unit = 24, 120, 12
	canvas := image.NewPaletted(image.Rect(0, 0, width*len(values), height), color.Palette{color.White, color.RGBA{0, 90, 160, 255}})
	for i, value := range values {
		bar := image.Rect(i*width+2, height-value*unit, (i+1)*width-2, height)
		draw.Draw(canvas, bar, image.NewUniform(canvas.Palette[1]), image.Point{}, draw.Src)
	}
	var out bytes.Buffer
	err := png.Encode(&out, canvas)
	return out.Bytes(), err
}

// send sends m, with the wire log on, and tells what became of each recipient.
func (s *story) send(ctx context.Context, connection string, m *smtp.Message) (hawser.Receipt, error) {
	env, err := m.Envelope()
	if err != nil {
		return hawser.Receipt{}, err
	}
	s.headline("Sending %q to %s by %q, with the wire log on", m.Subject, strings.Join(env.To, ", "), connection)
	start := time.Now()
	ctx = hawser.WithTrace(ctx, hawser.LogTo(s.lines("   | ")))
	var receipt hawser.Receipt
	err = hawser.Use(ctx, s.m, connection, func(ctx context.Context, mailer hawser.Mailer) (err error) {
		receipt, err = mailer.Send(ctx, env, m)
		return err
	})
	for _, refused := range receipt.Refused {
		s.say("refused    %v", refused)
	}
	if err != nil {
		return receipt, err // matches hawser.ErrMaybeSent if the server may have the mail all the same
	}
	s.say("queue id   %s", hawser.Printable(cmp.Or(receipt.QueueID, "the server told none")))
	s.say("Taken for %d of %d recipients, in %s.", len(env.To)-len(receipt.Refused), len(env.To), short(time.Since(start)))
	return receipt, nil
}

// showMail shows the one mail that the server should have got.
func (s *story) showMail(receipt hawser.Receipt, mails []testserver.Mail) error {
	s.headline("What the server has got")
	if len(mails) != 1 || mails[0].ID != receipt.QueueID {
		return fmt.Errorf("the server has %d mails, want that of queue id %s alone", len(mails), receipt.QueueID)
	}
	got := mails[0]
	parsed, err := mail.ReadMessage(bytes.NewReader(got.Data))
	if err != nil {
		return err
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(parsed.Header.Get("Subject"))
	if err != nil {
		return err
	}
	if bytes.Contains(got.Data, []byte("archive@")) {
		return errors.New("the header names who is in Bcc")
	}
	s.say("subject    %s", subject)
	s.say("size       %d bytes, %s", got.Size, parsed.Header.Get("Content-Type"))
	s.say("from       %s, logged in as %s", got.From, got.User)
	s.say("to         %s", strings.Join(got.To, ", "))
	return nil
}

// mailOwn sends a mail by a connection of the user, where -to says to whom.
func (s *story) mailOwn(ctx context.Context, c hawser.Connection) error {
	if s.options.to == "" {
		s.say("Only tested: -to ADDRESS sends a mail.")
		return nil
	}
	m := &smtp.Message{
		From: cmp.Or(s.options.from, c.Auth.User), To: []string{s.options.to},
		Subject: "Test by hawser", Text: fmt.Sprintf("The connection %q sends mail.", c.Name),
	}
	if err := m.Validate(); err != nil {
		return fmt.Errorf("-from or -to: %w", err)
	}
	_, err := s.send(ctx, c.Name, m)
	return err
}
