// What an end of a conversation keeps for libsignal: for the oracle here, and for the benchmark of it.
import * as signal from '@signalapp/libsignal-client';

export class Sessions extends signal.SessionStore {
  record = null;
  async saveSession(_, record) { this.record = record; }
  async getSession() { return this.record; }
  async getExistingSessions() { return [this.record]; }
}
export class Identity extends signal.IdentityKeyStore {
  pair = signal.IdentityKeyPair.generate();
  async getIdentityKey() { return this.pair.privateKey; }
  async getLocalRegistrationId() { return 1; }
  async saveIdentity() { return 0; }
  async isTrustedIdentity() { return true; }
  async getIdentity() { return null; }
}
