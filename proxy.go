package hawser

// Proxy is the proxy tab.
type Proxy struct {
	Type     ProxyType `json:"type,omitzero"` // "": direct
	Host     string    `json:"host,omitzero"`
	Port     uint16    `json:"port,omitzero"` // 0: 1080 for SOCKS, 8080 for http, 443 for https
	User     string    `json:"user,omitzero"`
	Password Secret    `json:"password,omitzero"`
}

type ProxyType string

const (
	ProxyHTTP    ProxyType = "http"   // CONNECT (RFC 9110, section 9.3.6)
	ProxyHTTPS   ProxyType = "https"  // CONNECT over TLS to the proxy
	ProxySOCKS4  ProxyType = "socks4" // target resolved here
	ProxySOCKS4A ProxyType = "socks4a"
	ProxySOCKS5  ProxyType = "socks5"  // target resolved here (RFC 1928)
	ProxySOCKS5H ProxyType = "socks5h" // target resolved by the proxy
)
