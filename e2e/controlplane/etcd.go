package main

import (
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"syscall"

	"go.etcd.io/etcd/server/v3/embed"
)

// serveEtcd is a single etcd that keeps its data in a folder, until it is told to end.
func serveEtcd(arguments []string) error {
	flags := flag.NewFlagSet("etcd", flag.ExitOnError)
	folder := flags.String("data-dir", "", "where the data is kept")
	client := flags.String("listen-client-url", "", "where clients are served")
	peer := flags.String("listen-peer-url", "", "where peers would be served")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	clients, err := url.Parse(*client)
	if err != nil {
		return fmt.Errorf("--listen-client-url: %w", err)
	}
	peers, err := url.Parse(*peer)
	if err != nil {
		return fmt.Errorf("--listen-peer-url: %w", err)
	}

	config := embed.NewConfig()
	config.Dir = *folder
	config.LogLevel = "error"
	config.UnsafeNoFsync = true // nothing here outlives the run, and tests should not wait for a disk
	config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{*clients}, []url.URL{*clients}
	config.ListenPeerUrls, config.AdvertisePeerUrls = []url.URL{*peers}, []url.URL{*peers}
	config.InitialCluster = config.InitialClusterFromName(config.Name)

	server, err := embed.StartEtcd(config)
	if err != nil {
		return fmt.Errorf("start etcd in %s: %w", *folder, err)
	}
	defer server.Close()
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
	select {
	case <-ended:
		return nil
	case err := <-server.Err():
		return fmt.Errorf("etcd ended by itself: %w", err)
	}
}
