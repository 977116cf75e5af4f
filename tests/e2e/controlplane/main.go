// controlplane is a whole Kubernetes control plane in one file: etcd, kube-apiserver, kube-scheduler,
// kube-controller-manager and kubectl, chosen by the name it is called by (a link), or else by the first
// argument. The end-to-end tests build it once from the Go modules of the release that they test against,
// since no other way of getting those binaries works with nothing but the Go toolchain.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	// The admission and apiserver metrics register themselves; the JSON log format is left out.
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

// components are the programs, each of which reads os.Args by itself.
var components = map[string]func(){
	"etcd":                    func() { etcdmain.Main(os.Args) },
	"kube-apiserver":          func() { os.Exit(cli.Run(apiserver.NewAPIServerCommand())) },
	"kube-scheduler":          func() { os.Exit(cli.Run(scheduler.NewSchedulerCommand())) },
	"kube-controller-manager": func() { os.Exit(cli.Run(controllermanager.NewControllerManagerCommand())) },
	"kubectl":                 func() { os.Exit(cli.Run(kubectl.NewDefaultKubectlCommand())) },
}

func main() {
	run, called := components[filepath.Base(os.Args[0])]
	if !called && len(os.Args) > 1 {
		// The component's name takes the program's place.
		os.Args = os.Args[1:]
		run = components[os.Args[0]]
	}
	if run == nil {
		fmt.Fprintln(os.Stderr, "usage: controlplane etcd|kube-apiserver|kube-scheduler|kube-controller-manager|kubectl [flag]...")
		os.Exit(2)
	}
	run()
}
