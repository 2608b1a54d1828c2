package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// patience is how long all of it may take to be ready.
const patience = 90 * time.Second

// run starts a control plane in a folder, writes a kubeconfig, and keeps it going until it is told to end, its parent is gone
// or a part ends. With a command behind --, it runs that with KUBECONFIG set, and ends with it.
func run(arguments []string) error {
	flags := flag.NewFlagSet("run", flag.ExitOnError)
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: run [--folder FOLDER] [--port PORT] [-- COMMAND [ARGUMENT ...]]")
		flags.PrintDefaults()
	}
	folder := flags.String("folder", "", "for data, logs and the kubeconfig of an admin (default: a temporary one, removed at the end)")
	port := flags.Int("port", 0, "of the API server (default: one that is free)")
	if err := flags.Parse(arguments); err != nil {
		return err
	}

	home, err := makeFolder(*folder)
	if err != nil {
		return err
	}
	if *folder == "" {
		defer os.RemoveAll(home)
	}
	told, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer stop()
	told, orphaned := withParent(told)
	defer orphaned()

	parts := &parts{folder: home}
	defer parts.end()
	kubeconfig, err := parts.startAll(told, *port)
	if err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return parts.runCommand(told, kubeconfig, flags.Args())
	}
	fmt.Printf("export KUBECONFIG=%s\n", kubeconfig)
	select {
	case <-told.Done():
		return nil
	case ended := <-parts.ended():
		return ended.problem()
	}
}

// makeFolder is where everything of this run is; a given one must be empty, because data of another run has other keys.
func makeFolder(given string) (string, error) {
	if given == "" {
		made, err := os.MkdirTemp("", "kubeheal-controlplane-")
		if err != nil {
			return "", fmt.Errorf("make a temporary folder: %w", err)
		}
		return made, nil
	}
	folder, err := filepath.Abs(given)
	if err != nil {
		return "", fmt.Errorf("find the folder %s: %w", given, err)
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", fmt.Errorf("make the folder %s: %w", folder, err)
	}
	found, err := os.ReadDir(folder)
	if err != nil {
		return "", fmt.Errorf("read the folder %s: %w", folder, err)
	}
	if len(found) > 0 {
		return "", fmt.Errorf("the folder %s is not empty (%s is there): name one that is, or remove what is in it", folder, found[0].Name())
	}
	return folder, nil
}

// startAll starts each part when those it needs are ready, and returns the path of an admin's kubeconfig.
func (p *parts) startAll(told context.Context, port int) (string, error) {
	deadline, cancel := context.WithTimeout(told, patience)
	defer cancel()
	granted, err := makeCredentials(p.folder)
	if err != nil {
		return "", err
	}
	ports, err := choosePorts(port)
	if err != nil {
		return "", err
	}
	etcd := fmt.Sprintf("http://127.0.0.1:%d", ports[1])
	server := fmt.Sprintf("https://127.0.0.1:%d", ports[0])
	kubeconfigs := map[user]string{}
	for who, name := range map[user]string{admin: "kubeconfig", controllerManager: "controller-manager.kubeconfig", kubeScheduler: "scheduler.kubeconfig"} {
		kubeconfigs[who] = filepath.Join(p.folder, name)
		if who == admin {
			continue // who waits for that file may use it at once, so it is the last
		}
		if err := writeKubeconfig(kubeconfigs[who], server, granted, who); err != nil {
			return "", err
		}
	}

	if err := p.start("etcd", "--data-dir="+filepath.Join(p.folder, "etcd"), "--listen-client-url="+etcd,
		fmt.Sprintf("--listen-peer-url=http://127.0.0.1:%d", ports[2])); err != nil {
		return "", err
	}
	if err := p.until(deadline, "etcd", answers(http.DefaultClient, etcd+"/health")); err != nil {
		return "", err
	}
	if err := p.start("kube-apiserver", apiserverArguments(granted, etcd, ports[0])...); err != nil {
		return "", err
	}
	client, err := granted.client()
	if err != nil {
		return "", err
	}
	if err := p.until(deadline, "kube-apiserver", answers(client, server+"/readyz")); err != nil {
		return "", err
	}
	if err := p.start("kube-controller-manager", controllerManagerArguments(granted, kubeconfigs[controllerManager])...); err != nil {
		return "", err
	}
	if err := p.start("kube-scheduler", schedulerArguments(kubeconfigs[kubeScheduler])...); err != nil {
		return "", err
	}
	// Pods can be made in `default` once controllers are at work.
	if err := p.until(deadline, "kube-controller-manager", answers(client, server+"/api/v1/namespaces/default/serviceaccounts/default")); err != nil {
		return "", err
	}
	return kubeconfigs[admin], writeKubeconfig(kubeconfigs[admin], server, granted, admin, limited)
}

func apiserverArguments(granted *credentials, etcd string, port int) []string {
	return []string{
		"--etcd-servers=" + etcd,
		fmt.Sprintf("--secure-port=%d", port),
		"--bind-address=127.0.0.1",
		"--tls-cert-file=" + granted.path("serving.crt"),
		"--tls-private-key-file=" + granted.path("serving.key"),
		"--service-account-key-file=" + granted.path("sa.pub"),
		"--service-account-signing-key-file=" + granted.path("sa.key"),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--token-auth-file=" + granted.path("tokens.csv"),
		"--authorization-mode=Node,RBAC",
		"--service-cluster-ip-range=" + serviceRange,
		"--allow-privileged=true",
		"--advertise-address=" + advertised,
	}
}

func controllerManagerArguments(granted *credentials, kubeconfig string) []string {
	return []string{
		"--kubeconfig=" + kubeconfig,
		"--leader-elect=false",
		"--service-account-private-key-file=" + granted.path("sa.key"),
		"--root-ca-file=" + granted.path("ca.crt"),
		"--use-service-account-credentials=true",
		"--secure-port=0", // nobody asks them, and two runs on a machine do not meet
		"--kube-api-qps=200",
		"--kube-api-burst=400",
	}
}

func schedulerArguments(kubeconfig string) []string {
	return []string{
		"--kubeconfig=" + kubeconfig,
		"--leader-elect=false",
		"--secure-port=0",
		"--kube-api-qps=200",
		"--kube-api-burst=400",
	}
}

// client asks the API server as an admin.
func (c *credentials) client() (*http.Client, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(c.authority) {
		return nil, errors.New("the authority's own certificate cannot be read")
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	return &http.Client{Transport: withToken{token: c.tokens[admin], next: transport}, Timeout: 5 * time.Second}, nil
}

type withToken struct {
	token string
	next  http.RoundTripper
}

func (t withToken) RoundTrip(request *http.Request) (*http.Response, error) {
	request = request.Clone(request.Context())
	request.Header.Set("Authorization", "Bearer "+t.token)
	return t.next.RoundTrip(request)
}

// answers is whether something is there that answers with 200.
func answers(client *http.Client, url string) func(context.Context) bool {
	return func(ctx context.Context) bool {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return false
		}
		answer, err := client.Do(request)
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	}
}

// choosePorts finds ports for the API server and etcd's clients and peers. A given one must be free.
func choosePorts(wanted int) ([3]int, error) {
	var ports [3]int
	for number := range ports {
		port := 0
		if number == 0 {
			port = wanted
		}
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return ports, fmt.Errorf("port %d cannot be used: %w: choose another with --port, or none", port, err)
		}
		// Held until all are chosen, so that they differ.
		defer listener.Close()
		ports[number] = listener.Addr().(*net.TCPAddr).Port
	}
	return ports, nil
}

// runCommand runs somebody's command with KUBECONFIG set, and ends as it does.
func (p *parts) runCommand(told context.Context, kubeconfig string, command []string) error {
	child := exec.CommandContext(told, command[0], command[1:]...)
	child.Stdin, child.Stdout, child.Stderr = os.Stdin, os.Stdout, os.Stderr
	child.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
	child.Cancel = func() error { return child.Process.Signal(syscall.SIGTERM) }
	child.WaitDelay = time.Minute
	child.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := child.Start(); err != nil {
		return fmt.Errorf("start %s: %w", command[0], err)
	}
	done := make(chan error, 1)
	go func() { done <- child.Wait() }()
	select {
	case err := <-done:
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			// Its own words have been said; its code is ours.
			p.end()
			os.Exit(max(exit.ExitCode(), 1))
		}
		return err
	case ended := <-p.ended():
		_ = child.Process.Signal(syscall.SIGTERM)
		<-done
		return ended.problem()
	}
}
