package hawser

// Auth is the security tab. Methods are tried in the order agent, key, token,
// password; only those given are offered.
type Auth struct {
	Anonymous bool   `json:"anonymous,omitzero"` // ftp; smtp without login; ssh and sftp method "none"
	User      string `json:"user,omitzero"`
	Password  Secret `json:"password,omitzero"`
	Token     Secret `json:"token,omitzero"` // OAuth 2 access token: smtp
	Key       Key    `json:"key,omitzero"`   // ssh, sftp
	Agent     bool   `json:"agent,omitzero"` // ssh, sftp: keys of the running ssh-agent
}

// A Key is a private key: OpenSSH, PEM (PKCS #1, PKCS #8, SEC 1) or PuTTY ppk
// version 2 or 3, each plain or encrypted. Set File or Content, not both.
type Key struct {
	File        string `json:"file,omitzero"`
	Content     Secret `json:"content,omitzero"`
	Passphrase  Secret `json:"passphrase,omitzero"`
	Certificate string `json:"certificate,omitzero"` // OpenSSH user certificate file
}

// A Certificate is a client certificate: .pem, .cer (DER or PEM) with its key
// in the same file or in KeyFile, or .pfx/.p12.
type Certificate struct {
	File     string `json:"file,omitzero"`
	Content  Secret `json:"content,omitzero"` // instead of File: PEM, or base64 of a .pfx
	KeyFile  string `json:"key_file,omitzero"`
	Password Secret `json:"password,omitzero"`
}
