// One end of a conversation, held by libsignal: reads commands as JSON lines, answers each with one line.
// It decides nothing; the test does (signal_parameters.py). Keys and messages travel in hexadecimal.
import readline from 'node:readline';
import * as signal from '@signalapp/libsignal-client';
import { Identity, Sessions } from './stores.mjs';

const hex = (data) => Buffer.from(data).toString('hex');
const bytes = (text) => Buffer.from(text, 'hex');

class PreKeys extends signal.PreKeyStore {
  async savePreKey() {}
  async getPreKey() { return signal.PreKeyRecord.new(1, oneTime.getPublicKey(), oneTime); }
  async removePreKey() {}
}
class SignedPreKeys extends signal.SignedPreKeyStore {
  async saveSignedPreKey() {}
  async getSignedPreKey() { return signal.SignedPreKeyRecord.new(2, 0, signed.getPublicKey(), signed, signature); }
}
class KyberPreKeys extends signal.KyberPreKeyStore {
  async saveKyberPreKey() {}
  async getKyberPreKey() { throw new Error('there is none'); }
  async markKyberPreKeyUsed() {}
}

const identity = new Identity();
const sessions = new Sessions();
const oneTime = signal.PrivateKey.generate();
const signed = signal.PrivateKey.generate();
const signature = identity.pair.privateKey.sign(signed.getPublicKey().serialize());
const preKeys = new PreKeys();
const signedPreKeys = new SignedPreKeys();
const kyberPreKeys = new KyberPreKeys();
const other = signal.ProtocolAddress.new('11111111-1111-4111-8111-111111111111', 1);

const commands = {
  async keys() {
    return {
      identity: hex(identity.pair.publicKey.serialize()),
      signed: hex(signed.getPublicKey().serialize()),
      oneTime: hex(oneTime.getPublicKey().serialize()),
    };
  },
  // libsignal speaks first. The other end's identity is made here, because it has to sign as Signal does.
  async begin({ prekey }) {
    const made = signal.IdentityKeyPair.generate();
    const key = signal.PublicKey.deserialize(bytes(prekey));
    const proof = made.privateKey.sign(key.serialize());
    const bundle = signal.PreKeyBundle.new(1, 1, null, null, 2, key, proof, made.publicKey);
    await signal.processPreKeyBundle(bundle, other, sessions, identity);
    return { secret: hex(made.privateKey.serialize()) };
  },
  async encrypt({ message }) {
    const sealed = await signal.signalEncrypt(bytes(message), other, sessions, identity);
    return { type: sealed.type(), sealed: hex(sealed.serialize()) };
  },
  async decrypt({ type, sealed }) {
    const raw = bytes(sealed);
    const message = type === 3
      ? await signal.signalDecryptPreKey(signal.PreKeySignalMessage.deserialize(raw), other, sessions, identity,
        preKeys, signedPreKeys, kyberPreKeys)
      : await signal.signalDecrypt(signal.SignalMessage.deserialize(raw), other, sessions, identity);
    return { message: hex(message) };
  },
};

for await (const line of readline.createInterface({ input: process.stdin })) {
  const { command, ...given } = JSON.parse(line);
  try {
    console.log(JSON.stringify(await commands[command](given)));
  } catch (error) {
    console.log(JSON.stringify({ refused: String(error.message ?? error) }));
  }
}
