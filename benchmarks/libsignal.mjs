// libsignal's cost of a message in order and of a turn, in microseconds, as JSON: node libsignal.mjs ORACLE SIZE SECONDS
import { createRequire } from 'node:module';
import { randomBytes } from 'node:crypto';

const [oracle, size, seconds] = process.argv.slice(2);
const signal = createRequire(`${oracle}/package.json`)('@signalapp/libsignal-client');
const { Identity, Sessions } = await import(`${oracle}/stores.mjs`);
const body = randomBytes(Number(size));

class End {
  sessions = new Sessions();
  identity = new Identity();
  signed = signal.PrivateKey.generate();
  proof = this.identity.pair.privateKey.sign(this.signed.getPublicKey().serialize());
  async encrypt() { return signal.signalEncrypt(body, peer, this.sessions, this.identity); }
  async decrypt(sealed) {
    const raw = sealed.serialize();
    if (sealed.type() !== 3) return signal.signalDecrypt(signal.SignalMessage.deserialize(raw), peer, this.sessions, this.identity);
    const record = signal.SignedPreKeyRecord.new(2, 0, this.signed.getPublicKey(), this.signed, this.proof);
    const none = { getPreKey() { throw new Error('none'); }, getKyberPreKey() { throw new Error('none'); } };
    class PreKeys extends signal.PreKeyStore { async getPreKey() { return none.getPreKey(); } async savePreKey() {} async removePreKey() {} }
    class Signed extends signal.SignedPreKeyStore { async getSignedPreKey() { return record; } async saveSignedPreKey() {} }
    class Kyber extends signal.KyberPreKeyStore { async getKyberPreKey() { return none.getKyberPreKey(); } async saveKyberPreKey() {} async markKyberPreKeyUsed() {} }
    return signal.signalDecryptPreKey(signal.PreKeySignalMessage.deserialize(raw), peer, this.sessions, this.identity, new PreKeys(), new Signed(), new Kyber());
  }
}
const peer = signal.ProtocolAddress.new('11111111-1111-4111-8111-111111111111', 1);
let [from, to] = [new End(), new End()];
const bundle = signal.PreKeyBundle.new(1, 1, null, null, 2, to.signed.getPublicKey(), to.proof, to.identity.pair.publicKey);
await signal.processPreKeyBundle(bundle, peer, from.sessions, from.identity);

async function inOrder() { await to.decrypt(await from.encrypt()); }
async function turn() { await inOrder(); [from, to] = [to, from]; }
async function microseconds(work) {
  let best = Infinity;
  for (let round = 0; round < 5; round += 1) {
    const start = process.hrtime.bigint();
    let count = 0;
    while (Number(process.hrtime.bigint() - start) < Number(seconds) * 2e8) { await work(); count += 1; }
    best = Math.min(best, Number(process.hrtime.bigint() - start) / 1000 / count);
  }
  return best;
}
for (let count = 0; count < 4; count += 1) await turn();
const ordered = await microseconds(inOrder);
console.log(JSON.stringify([ordered, await microseconds(turn)]));
