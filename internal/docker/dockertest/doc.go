// Package dockertest gives tests a real Docker Engine and real images, made on
// the spot from static binaries: nothing is pulled.
//
// What a test makes is gone when it ends, but for the images that tests share
// (MinIO, registry): they are kept, under a tag that is the digest of their
// content, for the next run. All that is made carries the label io.xtci.test,
// so that what a killed test left, and the shared images, can be removed with
//
//	docker rm -fv $(docker ps -aq --filter label=io.xtci.test)
//	docker network prune --filter label=io.xtci.test
//	docker rmi -f $(docker images -aq --filter label=io.xtci.test)
//
// and the rest with rm -r ~/.cache/xtci-test.
//
// go test keeps the result of a package whose tests were skipped, too. After
// Docker was installed or started, -count=1 runs them.
package dockertest
