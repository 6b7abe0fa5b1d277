// SPDX-License-Identifier: Apache-2.0

// Goroutines, timers, channels, child processes and the collector; a loop without calls must be preempted by SIGURG.
package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"
)

func counters() {
	var group sync.WaitGroup
	var mutex sync.Mutex
	count := 0
	for i := 0; i < 200; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for j := 0; j < 1000; j++ {
				mutex.Lock()
				count++
				mutex.Unlock()
			}
			time.Sleep(time.Millisecond)
		}()
	}
	group.Wait()
	fmt.Println(count)
}

var sink int

func preemption() {
	runtime.GOMAXPROCS(1)
	stop := false
	go func() {
		for i := 0; !stop; i++ {
			sink = i
		}
	}()
	time.Sleep(20 * time.Millisecond)
	runtime.GC()
	fmt.Println("preempted")
	stop = true
	runtime.GOMAXPROCS(4)
}

func ring() {
	first := make(chan int)
	in := first
	for i := 0; i < 500; i++ {
		out := make(chan int)
		go func(in, out chan int) {
			for n := range in {
				out <- n + 1
			}
			close(out)
		}(in, out)
		in = out
	}
	go func() {
		for i := 0; i < 20; i++ {
			first <- i
		}
		close(first)
	}()
	sum := 0
	for n := range in {
		sum += n
	}
	fmt.Println(sum)
}

func sockets() {
	listener, err := net.Listen("unix", "go.sock")
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				line, _ := bufio.NewReader(connection).ReadString('\n')
				fmt.Fprintf(connection, "echo %s", line)
				connection.Close()
			}()
		}
	}()
	var group sync.WaitGroup
	for i := 0; i < 50; i++ {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			connection, err := net.Dial("unix", "go.sock")
			if err != nil {
				fmt.Println(err)
				return
			}
			fmt.Fprintf(connection, "%d\n", i)
			line, _ := bufio.NewReader(connection).ReadString('\n')
			if line != fmt.Sprintf("echo %d\n", i) {
				fmt.Println("wrong answer", line)
			}
			connection.Close()
		}(i)
	}
	group.Wait()
	listener.Close()
}

func processes() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	fmt.Println(<-signals)
	var group sync.WaitGroup
	for i := 0; i < 10; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			if out, err := exec.Command("echo", "child").Output(); err != nil || string(out) != "child\n" {
				fmt.Println("echo", out, err)
			}
		}()
	}
	group.Wait()
	fmt.Println(exec.Command("sh", "-c", "exit 3").Run())
}

func main() {
	counters()
	preemption()
	ring()
	sockets()
	processes()
	garbage := [][]byte{}
	for i := 0; i < 200; i++ {
		garbage = append(garbage, make([]byte, 1<<20))
		if len(garbage) > 20 {
			garbage = nil
		}
	}
	ticker := time.NewTicker(5 * time.Millisecond)
	for i := 0; i < 10; i++ {
		<-ticker.C
	}
	fmt.Println("end")
	os.Exit(5)
}
