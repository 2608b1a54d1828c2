// Command controlplane is a real Kubernetes control plane in one program, for tests on a machine that has no cluster.
//
// By its first argument it is etcd, kube-apiserver, kube-controller-manager or kube-scheduler, each as Kubernetes builds it;
// "run" starts one of each on loopback. Nothing here changes what they do: that they are real is the point.
package main

import (
	"fmt"
	"os"
	"strings"
	_ "time/tzdata" // time zones of CronJobs, which the API server checks

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/metrics/prometheus/clientgo" // as in Kubernetes' own main functions
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

func main() {
	if len(os.Args) < 2 {
		fail("which part is wanted is missing: write one of etcd, kube-apiserver, kube-controller-manager, kube-scheduler, run")
	}
	part := os.Args[1]
	// Each part reads its own arguments, and is called by its name.
	os.Args = append([]string{part}, os.Args[2:]...)
	switch part {
	case "etcd":
		check(serveEtcd(os.Args[1:]))
	case "kube-apiserver":
		kubernetes(apiserver.NewAPIServerCommand())
	case "kube-controller-manager":
		kubernetes(controllermanager.NewControllerManagerCommand())
	case "kube-scheduler":
		kubernetes(scheduler.NewSchedulerCommand())
	case "run":
		check(run(os.Args[1:]))
	default:
		fail(fmt.Sprintf("there is no part %q: write one of etcd, kube-apiserver, kube-controller-manager, kube-scheduler, run", part))
	}
}

func kubernetes(command *cobra.Command) {
	os.Exit(cli.Run(command))
}

func check(err error) {
	if err != nil {
		fail(err.Error())
	}
}

// fail says in one line what was wrong.
func fail(what string) {
	fmt.Fprintln(os.Stderr, "controlplane: "+strings.ReplaceAll(what, "\n", " "))
	os.Exit(1)
}
