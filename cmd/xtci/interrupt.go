package main

import (
	"context"
	"os"
	"sync"
)

// Interrupts are the signals that ask xtci to stop. The first ends the
// command's context, unless the command deals with it itself.
type interrupts struct {
	signals <-chan os.Signal

	mu   sync.Mutex
	deal func() (dealt bool)
}

// watch ends the context that it returns at a signal, until stop is called.
func (i *interrupts) watch(ctx context.Context) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		for {
			select {
			case <-i.signals:
				if !i.dealt() {
					cancel()
				}
			case <-ctx.Done():
				return
			}
		}
	})
	return ctx, func() {
		cancel()
		watching.Wait()
	}
}

// dealt asks the command whether it deals with a signal.
func (i *interrupts) dealt() bool {
	i.mu.Lock()
	deal := i.deal
	i.mu.Unlock()
	return deal != nil && deal()
}

// on has a function deal with signals, until restore is called. One for which
// it returns false ends the command's context.
func (i *interrupts) on(deal func() (dealt bool)) (restore func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.deal = deal
	return func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.deal = nil
	}
}
