package main

import (
	"fmt"
	"os"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// writeKubeconfig tells a program how to reach the API server as this user, or as one of the others.
func writeKubeconfig(path, server string, granted *credentials, who user, others ...user) error {
	config := api.NewConfig()
	config.Clusters["controlplane"] = &api.Cluster{Server: server, CertificateAuthorityData: granted.authority}
	for _, one := range append(others, who) {
		config.AuthInfos[one.name] = &api.AuthInfo{Token: granted.tokens[one]}
	}
	config.Contexts["controlplane"] = &api.Context{Cluster: "controlplane", AuthInfo: who.name}
	config.CurrentContext = "controlplane"
	encoded, err := clientcmd.Write(*config)
	if err != nil {
		return fmt.Errorf("write the kubeconfig of %s: %w", who.name, err)
	}
	// Whole or not at all: who waits for the file may read it as soon as it is there.
	if err := os.WriteFile(path+".new", encoded, 0o600); err != nil {
		return fmt.Errorf("write the kubeconfig of %s: %w", who.name, err)
	}
	return os.Rename(path+".new", path)
}
