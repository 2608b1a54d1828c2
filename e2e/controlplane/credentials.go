package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// serviceRange holds the addresses of Services; its first one is the API server's own.
const serviceRange = "10.96.0.0/16"

// advertised is the address in the endpoints of the Service default/kubernetes, which may not be one of loopback. It is one for
// documentation: nobody is there, and no pod of a scripted node looks.
const advertised = "192.0.2.1"

// user is who a token stands for, as a line of the API server's token file.
type user struct {
	name, uid, group string
}

var (
	admin             = user{name: "admin", uid: "admin", group: "system:masters"}
	controllerManager = user{name: "system:kube-controller-manager", uid: "controller-manager"}
	kubeScheduler     = user{name: "system:kube-scheduler", uid: "scheduler"}
	// limited may do nothing: who has to see what is refused acts as this one.
	limited = user{name: "limited", uid: "lim"}
)

// credentials are made anew for each run: who they are given to is in the run's own folder, and nowhere else.
type credentials struct {
	folder    string
	authority []byte
	tokens    map[user]string
}

// makeCredentials writes a certificate authority, a serving certificate, a key pair for service accounts and a token for
// each user.
func makeCredentials(folder string) (*credentials, error) {
	made := &credentials{folder: folder, tokens: map[user]string{}}
	if err := made.certify(); err != nil {
		return nil, fmt.Errorf("make certificates in %s: %w", folder, err)
	}
	if err := made.signServiceAccounts(); err != nil {
		return nil, fmt.Errorf("make the key of service accounts in %s: %w", folder, err)
	}
	var lines []byte
	for _, who := range []user{admin, controllerManager, kubeScheduler, limited} {
		token := make([]byte, 16)
		if _, err := rand.Read(token); err != nil {
			return nil, fmt.Errorf("make a token: %w", err)
		}
		made.tokens[who] = hex.EncodeToString(token)
		lines = fmt.Appendf(lines, "%s,%s,%s,%q\n", made.tokens[who], who.name, who.uid, who.group)
	}
	return made, made.write("tokens.csv", lines)
}

// path of a file of these credentials.
func (c *credentials) path(name string) string {
	return filepath.Join(c.folder, name)
}

func (c *credentials) write(name string, content []byte) error {
	return os.WriteFile(c.path(name), content, 0o600)
}

// certify makes an authority, and the certificate that the API server shows.
func (c *credentials) certify() error {
	authorityKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	authority := certificate("kubernetes")
	authority.IsCA = true
	authority.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	signed, err := x509.CreateCertificate(rand.Reader, authority, authority, authorityKey.Public(), authorityKey)
	if err != nil {
		return err
	}
	c.authority = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed})
	if err := c.write("ca.crt", c.authority); err != nil {
		return err
	}

	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serving := certificate("kube-apiserver")
	serving.KeyUsage = x509.KeyUsageDigitalSignature
	serving.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	serving.DNSNames = []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"}
	serving.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv4(10, 96, 0, 1)}
	shown, err := x509.CreateCertificate(rand.Reader, serving, authority, key.Public(), authorityKey)
	if err != nil {
		return err
	}
	if err := c.write("serving.crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: shown})); err != nil {
		return err
	}
	return c.writeKey("serving.key", key)
}

// signServiceAccounts makes the keys that tokens of service accounts are signed and checked with.
func (c *credentials) signServiceAccounts() error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	if err := c.write("sa.pub", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})); err != nil {
		return err
	}
	return c.writeKey("sa.key", key)
}

func (c *credentials) writeKey(name string, key crypto.PrivateKey) error {
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return c.write(name, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}))
}

// certificate is what all of ours have in common: good for a day, which no run outlasts.
func certificate(name string) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{
		SerialNumber:          big.NewInt(now.UnixNano()),
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.Add(24 * time.Hour),
		BasicConstraintsValid: true,
	}
}
