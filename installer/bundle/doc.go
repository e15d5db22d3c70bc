// Package bundle carries images to hosts without a network: Save writes
// those that a Docker Engine has into one archive, Load gives them to another
// engine.
//
// The archive is an OCI image layout in a tar (image-layout.md of the OCI
// image specification): every blob once, under its digest. It has a
// manifest.json too, as docker save writes it, so that docker load of every
// engine reads it without xtci. Beside the images it has files, such as xtci
// itself, which tar xf takes out.
//
// An image is identified by the digest of its configuration, which is what
// Docker Engine calls its id. Registries call it by the digest of its
// manifest, which says how its layers were compressed there: a bundle keeps
// those digests as annotations.
//
// Nothing that a bundle says is believed: Load checks every digest, of the
// blobs as they are and of the layers as they unpack, before the engine gets
// anything.
package bundle
