// Package testserver holds the servers that hawser's tests and examples talk to.
//
// Two kinds live here. The in-process ones need Go alone: [SSH] with its SFTP subsystem and tunnels, [FTP], [SMTP],
// [Proxy], which speaks HTTP and SOCKS, the faulty peers that are a [Handler] behind [StartTCP], and [Relay], which
// delays, stalls, cuts or garbles what passes between a client and any server. None of them wants a testing.TB, so example programs may start them as well. [FTPScript] and
// [SMTPScript] do: they play a conversation word by word, with a fault at any byte of it, and judge the client.
//
// The real ones, [OpenSSH], [ProFTPD], [ProFTPDFTP], [VSFTPD], [Postfix], [OpenSMTPD] and the proxies [Squid], [Dante],
// [Tinyproxy] and [Microsocks], and the stores [PostgreSQL] and [Etcd], start the programs installed on this machine from temporary configurations, and skip
// the test where they are not installed; see [Real].
//
// Everything listens on the loopback, on a port that was free. Closing a server waits for its goroutines,
// connections and processes, so a test that closes what it started passes goleak.
package testserver
