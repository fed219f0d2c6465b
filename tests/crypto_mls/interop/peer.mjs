// One client of ts-mls, told what to do by lines of JSON on its standard input; bytes travel as hex.
import { createInterface } from "node:readline"
import {
  createApplicationMessage, createCommit, createGroup, createProposal, decodeMlsMessage, defaultCapabilities,
  encodeMlsMessage, generateKeyPackage, getCiphersuiteFromName, getCiphersuiteImpl, joinGroup, joinGroupExternal,
  makePskIndex, mlsExporter, processPrivateMessage, processPublicMessage,
} from "ts-mls"
// Not offered by the package's index; see groupInfo below.
import { createGroupInfoWithRatchetTree } from "./node_modules/ts-mls/dist/src/createCommit.js"

const hex = (bytes) => Buffer.from(bytes).toString("hex")
const unhex = (text) => new Uint8Array(Buffer.from(text, "hex"))
const decode = (text) => decodeMlsMessage(unhex(text), 0)[0]
const encode = (wireformat, body) => hex(encodeMlsMessage({ version: "mls10", wireformat, ...body }))

// ts-mls 1.6.4 takes and gives the bare key in the external_pub extension, where RFC 9420 section 12.4.3.2 has a
// vector: the two functions below put the length there and take it away, so that the rest can be tested.
function wrapped(key) {
  const [first, second] = key.length < 64 ? [[], key.length] : [[0x40 | (key.length >> 8)], key.length & 0xff]
  return new Uint8Array([...first, second, ...key])
}
function unwrapping(groupInfo) {
  const extensions = [...groupInfo.extensions]
  extensions.find = (test) => {
    const found = Array.prototype.find.call(extensions, test)
    if (found?.extensionType !== "external_pub") return found
    return { ...found, extensionData: found.extensionData.slice(found.extensionData[0] < 0x40 ? 1 : 2) }
  }
  return { ...groupInfo, extensions }
}

let suite, keys, state, psks

const view = (more = {}) => ({
  epoch: Number(state.groupContext.epoch),
  authenticator: hex(state.keySchedule.epochAuthenticator),
  ...more,
})

const commands = {
  async begin({ name, identity }) {
    suite = await getCiphersuiteImpl(getCiphersuiteFromName(name))
    const now = BigInt(Math.floor(Date.now() / 1000))
    const lifetime = { notBefore: now - 3600n, notAfter: now + 86400n * 7n }
    const credential = { credentialType: "basic", identity: unhex(identity) }
    const made = await generateKeyPackage(credential, defaultCapabilities(), lifetime, [], suite)
    keys = made
    psks = {}
    return { keyPackage: encode("mls_key_package", { keyPackage: made.publicPackage }) }
  },
  async psk({ id, secret }) {
    psks[Buffer.from(unhex(id)).toString("base64")] = unhex(secret)
    return {}
  },
  async create({ groupId }) {
    state = await createGroup(unhex(groupId), keys.publicPackage, keys.privatePackage, [], suite)
    return view()
  },
  async join({ welcome }) {
    const index = makePskIndex(undefined, psks)
    state = await joinGroup(decode(welcome).welcome, keys.publicPackage, keys.privatePackage, index, suite)
    return view()
  },
  async joinByCommit({ groupInfo }) {
    const joined = await joinGroupExternal(
      unwrapping(decode(groupInfo).groupInfo), keys.publicPackage, keys.privatePackage, false, suite)
    state = joined.newState
    return view({ commit: encode("mls_public_message", { publicMessage: joined.publicMessage }) })
  },
  async commit({ add = [], remove = [], isPublic = false, psk = [] }) {
    const extraProposals = [
      ...add.map((text) => ({ proposalType: "add", add: { keyPackage: decode(text).keyPackage } })),
      ...remove.map((removed) => ({ proposalType: "remove", remove: { removed } })),
      ...psk.map(({ id, nonce }) => ({
        proposalType: "psk",
        psk: { preSharedKeyId: { psktype: "external", pskId: unhex(id), pskNonce: unhex(nonce) } },
      })),
    ]
    const result = await createCommit(
      { state, cipherSuite: suite, pskIndex: makePskIndex(state, psks) },
      { extraProposals, wireAsPublicMessage: isPublic, ratchetTreeExtension: true })
    state = result.newState
    return view({
      commit: hex(encodeMlsMessage(result.commit)),
      welcome: result.welcome ? encode("mls_welcome", { welcome: result.welcome }) : null,
    })
  },
  async proposeRemove({ removed, isPublic = false }) {
    const made = await createProposal(state, isPublic, { proposalType: "remove", remove: { removed } }, suite)
    state = made.newState
    return { message: hex(encodeMlsMessage(made.message)) }
  },
  async seal({ data }) {
    const made = await createApplicationMessage(state, unhex(data), suite)
    state = made.newState
    return { message: encode("mls_private_message", { privateMessage: made.privateMessage }) }
  },
  async receive({ message }) {
    const { privateMessage, publicMessage } = decode(message)
    const index = makePskIndex(state, psks)
    const result = privateMessage
      ? await processPrivateMessage(state, privateMessage, index, suite)
      : await processPublicMessage(state, publicMessage, index, suite)
    state = result.newState
    return view({ kind: result.kind, data: result.kind === "applicationMessage" ? hex(result.message) : null })
  },
  async groupInfo() {
    const key = await suite.hpke.exportPublicKey((await suite.hpke.deriveKeyPair(state.keySchedule.externalSecret)).publicKey)
    const extensions = [{ extensionType: "external_pub", extensionData: wrapped(key) }]
    const groupInfo = await createGroupInfoWithRatchetTree(
      state.groupContext, state.confirmationTag, state, state.ratchetTree, extensions, suite)
    return { groupInfo: encode("mls_group_info", { groupInfo }) }
  },
  async export({ label, context, length }) {
    const secret = state.keySchedule.exporterSecret
    return { secret: hex(await mlsExporter(secret, label, unhex(context), length, suite)) }
  },
}

for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...rest } = JSON.parse(line)
  let answer
  try {
    answer = await commands[command](rest)
  } catch (error) {
    answer = { error: String(error?.stack ?? error) }
  }
  process.stdout.write(JSON.stringify(answer) + "\n")
}
