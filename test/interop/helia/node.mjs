/*
 * A helia node for the interop tests: TCP, Noise and Yamux on loopback, blocks
 * in memory.  Reads commands as JSON lines from stdin and answers each with one
 * JSON line; the first line that it prints says where it listens.  It ends with
 * stdin.
 */
import { createReadStream } from 'node:fs'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import workers from 'node:worker_threads'
import zlib from 'node:zlib'

/* helia 7 and the HTTP client that it brings are written for node 22; this is
 * what node 20 lacks.  Nothing here uses HTTP, but it wants to be loaded. */
zlib.createZstdDecompress ??= () => { throw new Error('no zstd in this node') }
workers.markAsUncloneable ??= () => {}
Promise.withResolvers ??= function () {
  let resolve, reject
  const promise = new this((a, b) => { resolve = a; reject = b })
  return { promise, resolve, reject }
}

const { createHeliaLight } = await import('helia')
const { withBitswap } = await import('@helia/bitswap')
const { withLibp2pLight } = await import('@helia/libp2p')
const { unixfs } = await import('@helia/unixfs')
const { MemoryBlockstore } = await import('blockstore-core')
const { MemoryDatastore } = await import('datastore-core')
const { tcp } = await import('@libp2p/tcp')
const { noise } = await import('@libp2p/noise')
const { yamux } = await import('@libp2p/yamux')
const { identify } = await import('@libp2p/identify')
const { ping } = await import('@libp2p/ping')
const { multiaddr } = await import('@multiformats/multiaddr')
const { peerIdFromString } = await import('@libp2p/peer-id')
const { CID } = await import('multiformats/cid')

const helia = withBitswap(withLibp2pLight(createHeliaLight({
  blockstore: new MemoryBlockstore(),
  datastore: new MemoryDatastore()
}), {
  addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: { identify: identify(), ping: ping() }
}))
await helia.start()
const fs = unixfs(helia)

/* What is below a folder, as the importer wants it. */
async function * sources (folder, prefix) {
  yield { path: prefix }
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    const name = `${prefix}/${entry.name}`
    if (entry.isDirectory()) yield * sources(path, name)
    else if (entry.isFile()) {
      yield { path: name, content: createReadStream(path) }
    }
  }
}

async function addPath (path, isFolder) {
  if (!isFolder) return await fs.addByteStream(createReadStream(path))
  let last
  for await (const entry of fs.addAll(sources(path, 'root'))) last = entry
  return last.cid
}

async function bytesOf (cid, options) {
  const parts = []
  for await (const part of fs.cat(cid, options)) parts.push(part)
  return Buffer.concat(parts)
}

async function save (cid, path, options) {
  const stat = await fs.stat(cid, options)
  if (stat.type !== 'directory') {
    await writeFile(path, await bytesOf(cid, options))
    return
  }
  await mkdir(path)
  const entries = []
  for await (const entry of fs.ls(cid, options)) entries.push(entry)
  /* One after the other would take 15 ms each. */
  async function worker () {
    for (let entry; (entry = entries.pop()) != null;) {
      await save(entry.cid, join(path, entry.name), options)
    }
  }
  await Promise.all(Array.from({ length: 32 }, worker))
}

const commands = {
  async add ({ path, folder }) {
    return { cid: (await addPath(path, folder)).toString() }
  },
  async dial ({ address }) {
    const connection = await helia.libp2p.dial(multiaddr(address))
    return { peer_id: connection.remotePeer.toString() }
  },
  async get ({ cid, path, from, timeout_ms }) {
    const options = { signal: AbortSignal.timeout(timeout_ms ?? 50_000) }
    if (from != null) options.providers = [peerIdFromString(from)]
    await save(CID.parse(cid), path, options)
    return {}
  },
  async ping ({ address }) {
    return { ms: await helia.libp2p.services.ping.ping(multiaddr(address)) }
  },
  async peer ({ peer_id }) {
    const peer = await helia.libp2p.peerStore.get(peerIdFromString(peer_id))
    const agent = peer.metadata.get('AgentVersion')
    return {
      agent: agent == null ? '' : new TextDecoder().decode(agent),
      protocols: peer.protocols
    }
  }
}

async function answer (line) {
  try {
    const request = JSON.parse(line)
    return await commands[request.command](request)
  } catch (error) {
    return { error: String(error?.stack ?? error) }
  }
}

console.log(JSON.stringify({
  address: helia.libp2p.getMultiaddrs()[0].toString(),
  peer_id: helia.libp2p.peerId.toString()
}))
for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await answer(line)))
}
process.exit(0)
